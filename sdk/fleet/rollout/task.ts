import type { FleetTask, TaskWork } from '../controller/controller.ts';
import type { Logger } from '../log.ts';
import { runRollouts } from './store/run.ts';

/** Between two looks at rollouts, milliseconds. */
const EVERY = 1000;

export interface RolloutTaskOptions {
  readonly log: Logger;
  /** Something is to be published now. */
  readonly onTold?: () => void;
}

/** Rollouts as work of a controller: one at a time decides, and another goes on where it dies. */
export function rolloutTask({ log, onTold }: RolloutTaskOptions): FleetTask {
  return {
    name: 'rollouts',
    every: EVERY,
    async run({ database, now, fence }: TaskWork) {
      for (const { stored, decisions } of await runRollouts(database, { now, fence })) {
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
