import type { LoadedModel } from '../../sdk/device/agent/model.ts';
import { EigenError } from '../../sdk/util/errors.ts';
import { tensor, toNumbers } from '../../sdk/util/tensor.ts';

/** A model of y = factor * x, four numbers; its golden inputs take `milliseconds`. */
export function fakeModel(factor: number, change: Partial<LoadedModel> = {}): LoadedModel & { closed: boolean } {
  const fake = {
    closed: false,
    signature: {
      inputs: [{ name: 'x', dtype: 'f32' as const, shape: [1, 4] }],
      outputs: [{ name: 'y', dtype: 'f32' as const, shape: [1, 4] }],
    },
    modelBytes: 16,
    async run({ x }: Parameters<LoadedModel['run']>[0]) {
      if (fake.closed) throw new Error('the model is closed');
      if (!x) throw new EigenError('EW3202_DATA_INVALID', "input 'x' must be f32[1,4], got nothing");
      const values = toNumbers(x).map((value) => factor * value);
      return { y: tensor('f32', [1, 4], values) };
    },
    runGolden: async () => [1],
    close() {
      fake.closed = true;
    },
    ...change,
  };
  return fake;
}

/** Four times the same number, as the input of a fake model. */
export const four = (x: number) => ({ x: tensor('f32', [1, 4], [x, x, x, x]) });

/** Code of the error of what is awaited, or what it says; empty where it does not fail. */
export function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => '',
    (e) => e.code ?? e.message,
  );
}
