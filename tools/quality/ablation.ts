import { type CompressOptions, DEFAULT_OPTIONS, ROUND_TO_NEAREST, stagesOf } from '../../sdk/index.ts';

/** The compressor with something changed. */
export interface Variant {
  readonly id: string;
  readonly name: string;
  readonly stages: Partial<CompressOptions>;
}

/** What is said of a stage that is off; others are named as the options name them. */
const NAMES: Readonly<Record<string, string>> = {
  refit: 'no refit to the quantized inputs',
  gptq: 'no error feedback',
  biasCorrection: 'no bias correction',
  entropyAllocation: 'same step everywhere',
};

/** Sweeps that are tried where the defaults have none. */
const SWEEPS = 2;

/** Every stage of the defaults left out, one at a time, and all of them: the list is read from the options. */
export function variants(defaults: Omit<CompressOptions, 'wireBudgetBytes'> = DEFAULT_OPTIONS): Variant[] {
  const off = stagesOf(defaults).map((id): Variant => ({ id, name: NAMES[id] ?? `no ${id}`, stages: { [id]: false } }));
  const [damping] = defaults.dampings;
  return [
    ...off,
    ...(defaults.dampings.length > 1 && damping !== undefined
      ? [{ id: 'dampings', name: 'no choice of damping', stages: { dampings: [damping] } }]
      : []),
    defaults.sweeps > 0
      ? { id: 'sweeps', name: 'no coordinate descent', stages: { sweeps: 0 } }
      : { id: 'sweeps', name: `with ${SWEEPS} sweeps of coordinate descent`, stages: { sweeps: SWEEPS } },
    { id: 'memory', name: 'no goal for memory', stages: { memoryGoalBytes: Number.MAX_SAFE_INTEGER } },
    { id: 'wideActivations', name: '8-bit activations only', stages: { wideActivations: 'none' as const } },
    { id: 'plain', name: 'plain rounding', stages: ROUND_TO_NEAREST },
  ];
}
