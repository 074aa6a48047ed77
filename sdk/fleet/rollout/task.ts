import type { FleetTask, TaskWork } from '../controller/controller.ts';
import type { Logger } from '../log.ts';
import { runRollouts } from './store/run.ts';

/** Between two looks at rollouts, milliseconds. */
const EVERY = 1000;
/** And at those that are done, for devices that came later: many devices have to be looked through for it. */
const LATE_EVERY = 15_000;

export interface RolloutTaskOptions {
  readonly log: Logger;
  /** Something is to be published now. */
  readonly onTold?: () => void;
}

/** Rollouts as work of a controller: one at a time decides, and another goes on where it dies. */
export function rolloutTask({ log, onTold }: RolloutTaskOptions): FleetTask {
  let looked = Number.NEGATIVE_INFINITY;
  return {
    name: 'rollouts',
    every: EVERY,
    async run({ database, now, fence }: TaskWork) {
      const late = Math.abs(now - looked) >= LATE_EVERY;
      if (late) looked = now;
      for (const { stored, decisions } of await runRollouts(database, { now, fence, late })) {
        const { id } = stored.rollout;
        for (const d of decisions) {
          if (d.kind !== 'phase') continue;
          log.info('rollout', { id, phase: d.phase, wave: d.wave, ...(d.reason ? { reason: d.reason } : {}) });
        }
        if (decisions.some((d) => d.kind === 'offer' || d.kind === 'revert')) onTold?.();
      }
    },
  };
}
