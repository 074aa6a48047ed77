import type { Target } from '../sdk/compile/target.ts';
import { wasmTarget } from './wasm/index.ts';

/** The only list of targets: adding one is a folder and a line here. */
export const TARGETS: readonly Target[] = [wasmTarget];
