/**
 * Runs an installed bundle with the parts of the package that go to a device, as an application would:
 * `ours.ts native|wasm FOLDER DIGEST INPUTS RUNS [hold]`. With `hold` it says `ready` and stays until its input ends.
 */
import { readFileSync } from 'node:fs';
import { openInstalled } from '../../../sdk/bundle/index.ts';
import { type Engine, NativeEngine, WasmEngine } from '../../../sdk/device/index.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { thisPlatform } from '../../../sdk/wire/kernels.ts';
import { type InputFile, valuesOf } from './inputs.ts';

const [engine = '', folder = '', digest = '', inputs = '[]', runs = '1', hold] = process.argv.slice(2);

async function load(): Promise<Engine> {
  const { manifest, weights, kernelsFor } = await openInstalled(folder, digest);
  const { program } = manifest;
  if (engine === 'wasm') return WasmEngine.load(program, await kernelsFor('wasm'), readFileSync(weights));
  return NativeEngine.load(program, await kernelsFor(thisPlatform()!), { file: weights });
}

const loaded = await load();
const given = (JSON.parse(inputs) as InputFile[]).map((f) => [f.name, tensor('f32', f.shape, valuesOf(f))]);
let outputs: Record<string, Tensor> | undefined;
for (let i = 0; i < Number(runs); i++) outputs = loaded.run(Object.fromEntries(given), outputs);
if (hold) {
  process.stdout.write('ready\n');
  process.stdin.resume();
  await new Promise((done) => process.stdin.on('end', done));
}
loaded.close();
