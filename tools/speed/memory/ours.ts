import { type InstalledBundle, openInstalled } from '../../../sdk/bundle/index.ts';
import type { Engine } from '../../../sdk/device/index.ts';
import { type Tensor, tensor } from '../../../sdk/util/tensor.ts';
import { type InputFile, valuesOf } from './inputs.ts';

/**
 * Runs an installed bundle with the parts of the package that go to a device, as an application would, which imports the engine that it
 * uses (native.ts, wasm.ts): `FOLDER DIGEST INPUTS RUNS [hold]`. With `hold` it says `ready` and stays until its input ends. The engine
 * stays open: its memory is looked at when the process ends.
 */
export async function runInstalled(load: (installed: InstalledBundle) => Promise<Engine>): Promise<void> {
  const [folder = '', digest = '', inputs = '[]', runs = '1', hold] = process.argv.slice(2);
  const engine = await load(await openInstalled(folder, digest));
  const given = (JSON.parse(inputs) as InputFile[]).map((f) => [f.name, tensor('f32', f.shape, valuesOf(f))]);
  let outputs: Record<string, Tensor> | undefined;
  for (let i = 0; i < Number(runs); i++) outputs = engine.run(Object.fromEntries(given), outputs);
  if (!hold) return;
  process.stdout.write('ready\n');
  process.stdin.resume();
  await new Promise((done) => process.stdin.on('end', done));
}
