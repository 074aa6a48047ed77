/** The newest connection of a device that is known of, and whether it has ended. */
export interface Presence {
  /** Grows with every connection; -1 before the first. */
  readonly epoch: number;
  readonly closed: boolean;
}

export const NEVER_SEEN: Presence = { epoch: -1, closed: true };

/**
 * What two things that were heard come to. A later connection counts more than an earlier one, and the end of a connection more than what
 * was said during it: so any order of arrival, doubled or late, comes to the same, and a will that comes after the next birth ends nothing.
 * `UPDATE_DEVICES` in store.ts says the same in SQL.
 */
export function mergePresence(a: Presence, b: Presence): Presence {
  if (a.epoch !== b.epoch) return a.epoch > b.epoch ? a : b;
  return { epoch: a.epoch, closed: a.closed || b.closed };
}

/** A connection that has not ended but says nothing for so long is taken for lost, milliseconds. */
export const SILENCE = 300_000;
