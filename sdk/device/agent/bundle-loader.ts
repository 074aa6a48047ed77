import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Program, Slot } from '../../wire/program.ts';
import type { EngineOptions } from '../engine/engine.ts';
import { openPrepared } from '../engine/open.ts';
import { WasmEngine } from '../engine/wasm.ts';
import { checkGolden, goldenSet } from '../golden.ts';
import type { LoadedModel, ModelLoader, NamedTensorType, Signature } from './model.ts';
import { BundleOpener } from './open-elsewhere.ts';

/** Bundles (.ewb) in the fastest engine of this machine. */
export function bundleLoader(options: EngineOptions = {}): ModelLoader {
  const opener = new BundleOpener();
  return {
    async load(bytes): Promise<LoadedModel> {
      const { program, prepared, golden } = await opener.open(bytes, options);
      const { engine } = await openPrepared(program, prepared, options);
      return {
        signature: signatureOf(program),
        modelBytes: engine.modelBytes,
        run: async (inputs) => engine.run(inputs),
        async runGolden() {
          const set = goldenSet(program, golden);
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
        close() {
          engine.close();
          if (engine instanceof WasmEngine) opener.giveBack(engine.memory);
        },
      };
    },
  };
}

function signatureOf({ inputs, outputs }: Program): Signature {
  const named = ({ name, dtype, shape }: Slot): NamedTensorType => ({ name, dtype, shape });
  return { inputs: inputs.map(named), outputs: outputs.map(named) };
}
