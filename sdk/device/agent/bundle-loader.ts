import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Program, Slot } from '../../wire/program.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { openEngine } from '../engine/open.ts';
import { checkGolden, goldenSetOf } from '../golden.ts';
import type { LoadedModel, ModelLoader, NamedTensorType, Signature } from './model.ts';
import { BundleOpener } from './open-elsewhere.ts';

/** Bundles (.ewb) in the fastest engine of this machine. */
export function bundleLoader(options: EngineOptions = {}): ModelLoader {
  const opener = new BundleOpener();
  return {
    async load(bytes): Promise<LoadedModel> {
      const { bundle, weights } = await opener.open(bytes);
      const { engine } = await openEngine(bundle, options, weights);
      return {
        signature: signatureOf(engine.program),
        modelBytes: engine.modelBytes,
        run: async (inputs) => engine.run(inputs),
        async runGolden() {
          const set = goldenSetOf(bundle);
          const times: number[] = [];
          for (let i = 0; i < set.count; i++) {
            // The model that runs gets its turn between two golden inputs.
            await nextTurn();
            const from = performance.now();
            const got = engine.run(set.inputs(i));
            times.push(performance.now() - from);
            checkGolden(set, i, got);
          }
          return times;
        },
        close: () => engine.close(),
      };
    },
  };
}

function signatureOf({ inputs, outputs }: Program): Signature {
  const named = ({ name, dtype, shape }: Slot): NamedTensorType => ({ name, dtype, shape });
  return { inputs: inputs.map(named), outputs: outputs.map(named) };
}
