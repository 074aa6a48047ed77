import { EigenError } from '../../util/errors.ts';
import type { Rollout } from './state.ts';

/** What is to be said of a rollout that did not end well; undefined of one that did, or goes on. */
export function endingOf({
  id,
  phase,
  reason,
}: Pick<Rollout, 'id' | 'phase'> & { readonly reason?: string }): EigenError | undefined {
  if (phase !== 'FAILED') return undefined;
  return new EigenError('EW7302_ROLLOUT_STOPPED', `rollout ${id} was stopped: ${reason}`, {
    hint: 'Fix the model and start another rollout; what was measured is in `eigenweights rollout watch`.',
    details: { id, reason },
  });
}
