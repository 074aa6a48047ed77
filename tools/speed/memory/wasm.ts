import { readFileSync } from 'node:fs';
import { WasmEngine } from '../../../sdk/device/index.ts';
import { runInstalled } from './ours.ts';

await runInstalled(async ({ manifest, weights, kernelsFor }) =>
  WasmEngine.load(manifest.program, await kernelsFor('wasm'), readFileSync(weights)),
);
