import type { ReferenceTarget, Target } from '../sdk/compile/target.ts';
import { coralTarget, jetsonTarget, raspberryPiTarget } from './aarch64/index.ts';
import { hostTarget } from './host/index.ts';
import { referenceTarget } from './reference/index.ts';
import { wasmTarget } from './wasm/index.ts';

/** The only list of targets: adding one is a folder and a line here. */
export const TARGETS: readonly Target[] = [wasmTarget, hostTarget, raspberryPiTarget, jetsonTarget, coralTarget];

/** Always there; what the targets above are compared with. */
export const REFERENCE: ReferenceTarget = referenceTarget;
