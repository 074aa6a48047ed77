import { wilson } from './distributions.ts';
import { verdictOf } from './looks.ts';
import type { Rollout } from './state.ts';
import { errorsOf, executed, type Tally } from './tally.ts';

export type Verdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'stop'; readonly reason: string }
  /** A person has to decide. */
  | { readonly kind: 'pause'; readonly reason: string }
  | { readonly kind: 'wait'; readonly reason: string };

/** Whether a rollout has to stop for what happened so far, at any time. `all` are the devices of all waves. */
export function stopReason({ spec }: Rollout, all: Tally): string | undefined {
  const { errors, success } = spec.gate;
  const [tried, failed] = [executed(all), errorsOf(all)];
  if (errors.count !== undefined && failed > errors.count) return `${failed} installations failed, ${errors.count} may`;
  if (errors.share !== undefined && tried >= errors.afterExecuted && failed > errors.share * tried)
    return `${failed} of ${tried} installations failed, ${percent(errors.share)} may`;
  const { high } = wilson(all.committed, tried, success.confidence);
  if (tried > 0 && high < success.least)
    return `${all.committed} of ${tried} installations succeeded: ${percent(high)} do at best, ${percent(success.least)} must`;
  return undefined;
}

/** What a wave still waits for before it is watched; undefined when it has what it needs. */
export function missing({ spec }: Rollout, wave: Tally): string | undefined {
  const { absent, minExecuted } = spec.gate;
  if (wave.open > 0) return `${wave.open} of ${wave.devices} devices are at it`;
  if (wave.absent > absent * wave.devices) return `${wave.absent} of ${wave.devices} devices are away`;
  const needed = Math.min(minExecuted, wave.devices);
  if (executed(wave) < needed) return `${executed(wave)} devices have tried it, ${needed} must`;
  return undefined;
}

/** Whether a wave that is watched has passed. */
export function gateVerdict(rollout: Rollout, all: Tally, now: number): Verdict {
  const { spec, wave, soaking } = rollout;
  const { metrics, soakMilliseconds, success } = spec.gate;
  const compared = metrics.length > 0 && wave < spec.waves.length && all.committed > 0;
  const look = compared && rollout.looks > 0 ? verdictOf(rollout) : undefined;
  if (look?.kind === 'stop') return look;
  const left = soaking! + soakMilliseconds - now;
  if (left > 0) return { kind: 'wait', reason: `it is watched for ${Math.ceil(left / 1000)} s more` };
  const { low } = wilson(all.committed, executed(all), success.confidence);
  if (executed(all) > 0 && low < success.least)
    return {
      kind: 'stop',
      reason: `${all.committed} of ${executed(all)} installations succeeded: that is ${percent(low)} at least, ${percent(success.least)} must be shown`,
    };
  if (!compared || look?.kind === 'pass') return { kind: 'pass' };
  return { kind: look?.last ? 'pause' : 'wait', reason: look?.reason ?? 'metrics are awaited' };
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
