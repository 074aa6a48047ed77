import type { Database } from '../../database/index.ts';
import { decide } from '../decide.ts';
import { dueLook } from '../looks.ts';
import type { Decision } from '../state.ts';
import { doneRollouts, loadRollout, openRollouts, type Stored } from './rollouts.ts';
import { takeDecisions } from './take.ts';
import { hasLateDevices, viewDevices } from './views.ts';

/** One thing may lead to another: a wave that has passed to the next. More in a row would be a bug. */
const MOST_ROUNDS = 20;

/** Rollouts that are done and still looked at. */
const MOST_DONE = 16;

export interface RunOptions {
  readonly now: number;
  /** Also those that are done, for devices that came later. */
  readonly late?: boolean;
  /** Called first in every transaction that writes; throws when this is another's work now. */
  readonly fence: (db: Database) => Promise<void>;
}

/** A rollout, and what was decided about it. */
export interface Ran {
  readonly stored: Stored;
  readonly decisions: readonly Decision[];
}

/** Decides what is to be decided now about every rollout in which something may happen: those that go on first, they have their devices for themselves. */
export async function runRollouts(database: Database, options: RunOptions): Promise<Ran[]> {
  const ran: Ran[] = [];
  const run = async (id: string): Promise<void> => {
    const one = await runRollout(database, id, options);
    if (one && one.decisions.length > 0) ran.push(one);
  };
  for (const id of await openRollouts(database)) await run(id);
  if (!options.late) return ran;
  for (const rollout of await doneRollouts(database, MOST_DONE))
    if (await hasLateDevices(database, rollout, options.now)) await run(rollout.id);
  return ran;
}

async function runRollout(database: Database, id: string, { now, fence }: RunOptions): Promise<Ran | undefined> {
  let stored = await loadRollout(database, id);
  const all: Decision[] = [];
  for (let round = 0; stored; round++) {
    if (round === MOST_ROUNDS) throw new Error(`rollout ${id}: decisions do not come to an end`);
    const views = await viewDevices(database, stored.rollout, now, dueLook(stored.rollout, now) !== undefined);
    const decisions = decide(stored.rollout, views, now);
    if (decisions.length === 0) return { stored, decisions: all };
    const current: Stored = stored;
    const next = await database.transaction(async (db) => {
      await fence(db);
      return takeDecisions(db, current, views, decisions, now);
    });
    if (next) all.push(...decisions);
    // Of what leads to more only another phase does so at once; to look at all devices is not for nothing.
    if (next && !decisions.some((d) => d.kind === 'phase')) return { stored: next, decisions: all };
    stored = next ?? (await loadRollout(database, id));
  }
  return undefined;
}
