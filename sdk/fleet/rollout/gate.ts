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

/**
 * Whether a rollout has to stop for what happened so far, at any time: errors are too many, or the wave could not pass even if all of its
 * other devices succeeded.
 * @param all devices of all waves, `wave` those of the one in work.
 */
export function stopReason({ spec }: Rollout, all: Tally, wave: Tally): string | undefined {
  const { errors, success } = spec.gate;
  const [tried, failed] = [executed(all), errorsOf(all)];
  if (errors.count !== undefined && failed > errors.count) return `${failed} installations failed, ${errors.count} may`;
  if (errors.share !== undefined && tried >= errors.afterExecuted && failed > errors.share * tried)
    return `${failed} of ${tried} installations failed, ${percent(errors.share)} may`;
  const left = wave.open + wave.absent;
  const { low } = wilson(all.committed + left, tried + left, success.confidence);
  if (tried > 0 && low < success.least)
    return `${all.committed} of ${tried} installations succeeded: ${percent(low)} could be shown at best, ${percent(success.least)} must be`;
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
      kind: 'pause',
      reason: `${all.committed} installations show ${percent(low)} of success, ${percent(success.least)} must be; other devices are away`,
    };
  if (!compared || look?.kind === 'pass') return { kind: 'pass' };
  return { kind: look?.last ? 'pause' : 'wait', reason: look?.reason ?? 'metrics are awaited' };
}

export function percent(share: number): string {
  return `${Number((100 * share).toFixed(2))} %`;
}
