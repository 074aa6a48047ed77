import { type Comparison, compareMetric, type Measured } from './compare.ts';
import { meanOf } from './health.ts';
import type { MetricGate } from './spec.ts';
import type { DeviceView, Rollout } from './state.ts';

/** When the metrics of a wave are looked at, in soak times since it has what it needs. From the second on it may pass. */
export const LOOKS = [0.5, 1, 1.5, 2, 3] as const;
const PASS_FROM = 1;

/** The number of the look that is due, if there is one: the latest, where some were missed. */
export function dueLook({ spec, wave, soaking, looks }: Rollout, now: number): number | undefined {
  const { metrics, soakMilliseconds } = spec.gate;
  if (metrics.length === 0 || soaking === undefined || wave === spec.waves.length) return undefined;
  const due = LOOKS.findLastIndex((times) => now - soaking >= times * soakMilliseconds);
  return due >= looks ? due : undefined;
}

/**
 * Compares every metric that was measured. The probability of stopping a wave with a model that is as good is divided over all looks and
 * metrics, that of passing one that is worse by the margin in some metric over the looks that may pass.
 */
export function lookAt({ spec, wave }: Rollout, views: readonly DeviceView[]): Comparison[] {
  const { metrics, falseStop, falsePass } = spec.gate;
  const error = {
    low: falseStop / (LOOKS.length * metrics.length),
    high: falsePass / (LOOKS.length - PASS_FROM),
  };
  const isTreated = ({ member }: DeviceView): boolean => member?.state === 'COMMITTED' && member.wave <= wave;
  const isControl = ({ member }: DeviceView): boolean =>
    member?.wave === spec.waves.length && member.state === 'WAITING';
  return metrics.flatMap((metric) => {
    const [treated, control] = [isTreated, isControl].map((group) => views.filter(group).flatMap(measured(metric)));
    const comparison = compareMetric(metric, treated!, control!, error);
    return comparison ? [comparison] : [];
  });
}

function measured({ name }: MetricGate): (view: DeviceView) => Measured[] {
  return ({ health }) => {
    const after = meanOf(health?.after[name]);
    const before = meanOf(health?.before[name]);
    return after === undefined ? [] : [{ after, ...(before === undefined ? {} : { before }) }];
  };
}

export type LookVerdict =
  | { readonly kind: 'stop'; readonly reason: string }
  | { readonly kind: 'pass' }
  /** Neither is shown; `last` when there is no other look. */
  | { readonly kind: 'open'; readonly last: boolean; readonly reason: string };

/** What the last look says; `looks` counts those that were taken. */
export function verdictOf({ spec, looks, comparisons = [] }: Rollout): LookVerdict {
  const { metrics } = spec.gate;
  const open: string[] = [];
  for (const { name, margin } of metrics) {
    const found = comparisons.find((c) => c.metric === name);
    if (!found) open.push(`${name} was measured on too few devices`);
    else if (found.high < margin) continue;
    else if (found.low > 0) return { kind: 'stop', reason: describe(found) };
    else open.push(describe(found));
  }
  if (looks > PASS_FROM && open.length === 0) return { kind: 'pass' };
  return { kind: 'open', last: looks === LOOKS.length, reason: open.join('; ') };
}

function describe({ metric, loss, low, high, devices }: Comparison): string {
  const percent = (v: number): string => `${(100 * v).toFixed(2)} %`;
  const worse = loss >= 0 ? `${percent(loss)} worse` : `${percent(-loss)} better`;
  return `${metric} is ${worse} than on devices held back (${percent(low)} to ${percent(high)}; ${devices.treated} against ${devices.control})`;
}
