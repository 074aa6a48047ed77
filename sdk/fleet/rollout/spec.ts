import * as v from 'valibot';
import { EigenError } from '../../util/errors.ts';
import { parseQuery } from './query/index.ts';

const SHA256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256, 64 hex digits'));
const text = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const positive = v.pipe(
  v.number(),
  v.finite(),
  v.minValue(0),
  v.check((n) => n > 0, 'must be above 0'),
);
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
/** Above 0 and below 1. */
const level = v.pipe(
  v.number(),
  v.check((n) => n > 0 && n < 1, 'must be between 0 and 1'),
);
const milliseconds = v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(10 * 365 * 86_400_000));
const name = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/, 'must be 1 to 64 letters, digits and . _ @ -'),
);
const query = v.pipe(
  v.string(),
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    try {
      parseQuery(dataset.value);
    } catch (e) {
      addIssue({ message: (e as Error).message });
    }
  }),
);

/** So many devices, or a share: of all for those that are held back, and of the others for waves, with what went before: 0.1, 0.5, 1. */
const size = v.union([
  v.strictObject({ count: v.pipe(count, v.minValue(1)) }),
  v.strictObject({
    share: v.pipe(
      share,
      v.check((s) => s > 0, 'must be above 0'),
    ),
  }),
]);
export type Size = v.InferOutput<typeof size>;

/** One bundle of the release, and what it was measured to take on a board. */
const variant = v.strictObject({
  sha256: SHA256,
  board: text,
  /** Of the profile that the figures were measured with; absent where they are estimates for the board. */
  profile: v.optional(SHA256),
  p95Milliseconds: v.optional(positive),
  modelBytes: v.optional(count),
});
export type Variant = v.InferOutput<typeof variant>;

const metric = v.strictObject({
  /** `failures` (of runs), `p95` and `memory` are in every device's health; others are what applications report. */
  name: text,
  better: v.picklist(['higher', 'lower']),
  /** Share of its value that it may get worse by. */
  margin: level,
});
export type MetricGate = v.InferOutput<typeof metric>;

const gate = v.strictObject({
  /** Devices of a wave that have to have tried the bundle, or all where it has fewer. */
  minExecuted: v.optional(v.pipe(count, v.minValue(1)), 1),
  /** How long a wave is watched after its devices have the bundle. */
  soakMilliseconds: v.optional(milliseconds, 0),
  /** Share of installations that succeed at least; `confidence` is that of the bound. */
  success: v.optional(v.strictObject({ least: level, confidence: v.optional(level, 0.8) }), { least: 0.7 }),
  /** Installations that may fail, all waves together: so many, and such a share of those that were tried once these are enough. */
  errors: v.optional(
    v.strictObject({ count: v.optional(count), share: v.optional(share), afterExecuted: v.optional(count, 10) }),
    { share: 0.1 },
  ),
  metrics: v.optional(v.array(metric), []),
  /** Of stopping a model that is as good, and of letting one pass that is worse by the margin: all looks and metrics of a wave together. */
  falseStop: v.optional(level, 0.01),
  falsePass: v.optional(level, 0.01),
  /** Share of a wave that may be away without the next one waiting for it. */
  absent: v.optional(share, 0.2),
});
export type Gate = v.InferOutput<typeof gate>;

const clockTime = v.pipe(v.string(), v.regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time such as 22:30'));

/** When devices may be told to install. A window that ends before it begins goes on into the next day. */
const window = v.strictObject({
  /** 0 is Sunday; every day where absent. */
  days: v.optional(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(6)))),
  from: clockTime,
  to: clockTime,
  /** Of the clock that `from` and `to` are read on, east of Greenwich. */
  offsetMinutes: v.optional(v.pipe(v.number(), v.integer(), v.minValue(-840), v.maxValue(840)), 0),
});
export type Window = v.InferOutput<typeof window>;

const DAY = 86_400_000;

const schema = v.strictObject({
  name,
  /** What it brings: models, or the agents of devices themselves. */
  kind: v.optional(v.picklist(['model', 'agent']), 'model'),
  /** Devices that it is for, now and while it goes on. */
  query,
  /** Of a board the first that a device has the time and memory for: best first. */
  variants: v.pipe(v.array(variant), v.minLength(1), v.maxLength(1000)),
  /** What a model may take on a device. */
  limits: v.optional(v.strictObject({ p95Milliseconds: v.optional(positive), modelBytes: v.optional(count) }), {}),
  /** Devices that keep what they have until the last wave has passed. */
  control: v.optional(size),
  /** The first is the canary; the last must reach everybody. */
  waves: v.pipe(v.array(size), v.minLength(1), v.maxLength(50)),
  gate: v.optional(gate, {}),
  approval: v.optional(v.boolean(), false),
  /** What becomes of devices that have a release that its gate stops. */
  onStop: v.optional(v.picklist(['revert', 'leave']), 'revert'),
  windows: v.optional(v.array(window), []),
  rate: v.optional(
    v.strictObject({
      perMinute: v.optional(v.pipe(count, v.minValue(1))),
      atOnce: v.optional(v.pipe(count, v.minValue(1))),
    }),
    {},
  ),
  retries: v.optional(
    v.strictObject({
      most: v.optional(v.pipe(count, v.maxValue(20)), 2),
      waitMilliseconds: v.optional(milliseconds, 60_000),
    }),
    {},
  ),
  /** From being told to having reported; who was seen since and has not is STALLED. */
  deadlineMilliseconds: v.optional(v.pipe(milliseconds, v.minValue(1)), DAY),
  /** From the start: what is not done by then has FAILED. */
  endMilliseconds: v.optional(v.pipe(milliseconds, v.minValue(1)), 30 * DAY),
  /** What of the order of devices is drawn from; another number is another canary. */
  seed: v.optional(count, 0),
  shadowInputs: v.optional(v.pipe(count, v.maxValue(1_000_000)), 0),
  probationMilliseconds: v.optional(milliseconds, 600_000),
});

/** A rollout as its author describes it, with what was left out filled in. */
export type RolloutSpec = v.InferOutput<typeof schema>;
export type RolloutInput = v.InferInput<typeof schema>;
export { schema as rolloutSchema };

/** @throws EigenError EW1012_ROLLOUT_INVALID naming the field. */
export function parseRollout(value: unknown): RolloutSpec {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (!result.success) {
    const [issue] = result.issues;
    throw rolloutInvalid(v.getDotPath(issue) ?? 'rollout', issue.message);
  }
  checkWaves(result.output);
  checkMetrics(result.output);
  return result.output;
}

function checkWaves({ waves }: RolloutSpec): void {
  const last = waves.at(-1)!;
  if (!('share' in last) || last.share !== 1)
    throw rolloutInvalid(`waves.${waves.length - 1}`, 'the last wave must reach everybody: {"share": 1}');
  let before = 0;
  for (const [i, wave] of waves.entries()) {
    if (!('share' in wave)) continue;
    if (wave.share <= before)
      throw rolloutInvalid(`waves.${i}.share`, `${wave.share} is not above ${before} before it`);
    before = wave.share;
  }
}

function checkMetrics({ gate: { metrics, soakMilliseconds }, control }: RolloutSpec): void {
  if (metrics.length === 0) return;
  if (!control) throw rolloutInvalid('control', 'metrics are compared with devices that are held back: say how many');
  if (soakMilliseconds === 0)
    throw rolloutInvalid('gate.soakMilliseconds', 'metrics are measured while a wave soaks: say how long');
}

export function rolloutInvalid(field: string, problem: string): EigenError {
  return new EigenError('EW1012_ROLLOUT_INVALID', `${field}: ${problem}`, {
    hint: 'Change the description; `eigenweights rollout plan` shows what it comes to.',
    details: { field },
  });
}
