import { matches, type Query } from './query/index.ts';
import type { RolloutSpec } from './spec.ts';
import type { DeviceView } from './state.ts';
import { variantFor } from './variants.ts';

/** Whether a device that is in no rollout belongs to this one: its query finds it, and a bundle is for it. */
export function isFor(spec: RolloutSpec, query: Query, { facts, taken }: Pick<DeviceView, 'facts' | 'taken'>): boolean {
  return !taken && matches(query, facts) && variantFor(spec, facts) !== undefined;
}
