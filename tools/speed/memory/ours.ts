/**
 * Runs a bundle with the parts of the package that go to a device, as an application would: `ours.ts native|wasm BUNDLE INPUTS RUNS [hold]`.
 * With `hold` it says `ready` and stays until its input ends.
 */
import { readFileSync } from 'node:fs';
import { installWeights, kernelsFor, openBundle } from '../../../sdk/bundle/index.ts';
import { residentWeights } from '../../../sdk/device/engine/resident.ts';
import { type Engine, NativeEngine, WasmEngine } from '../../../sdk/device/index.ts';
import { tensor } from '../../../sdk/util/tensor.ts';
import { thisPlatform } from '../../../sdk/wire/kernels.ts';
import { type InputFile, valuesOf } from './inputs.ts';

const [engine = '', path = '', inputs = '[]', runs = '1', hold] = process.argv.slice(2);

async function load(): Promise<Engine> {
  const bundle = openBundle(readFileSync(path));
  const { program } = bundle.manifest;
  if (engine === 'wasm') return WasmEngine.load(program, kernelsFor(bundle, 'wasm'), installWeights(bundle));
  const weights = await residentWeights(bundle.digest, () => installWeights(bundle));
  return NativeEngine.load(program, kernelsFor(bundle, thisPlatform()!), weights);
}

const loaded = await load();
const given = (JSON.parse(inputs) as InputFile[]).map((f) => [f.name, tensor('f32', f.shape, valuesOf(f))]);
for (let i = 0; i < Number(runs); i++) loaded.run(Object.fromEntries(given));
if (hold) {
  process.stdout.write('ready\n');
  process.stdin.resume();
  await new Promise((done) => process.stdin.on('end', done));
}
loaded.close();
