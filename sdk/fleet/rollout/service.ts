import { EigenError } from '../../util/errors.ts';
import type { Database } from '../database/index.ts';
import { abort, approve, pause, resume, start } from './commands.ts';
import { type Preview, previewOf } from './preview.ts';
import { parseQuery } from './query/index.ts';
import { parseRollout } from './spec.ts';
import type { Decision, DeviceView, Rollout } from './state.ts';
import { insertRollout, listRollouts, loadRollout, type Stored } from './store/rollouts.ts';
import { takeDecisions } from './store/take.ts';
import { findDevices, takenDevices, viewDevices } from './store/views.ts';
import { type Summary, summaryOf } from './summary.ts';

export const ACTIONS = ['approve', 'start', 'pause', 'resume', 'abort', 'rollback'] as const;
export type Action = (typeof ACTIONS)[number];

export interface ActionRequest {
  readonly action: Action;
  /** Who wants it. */
  readonly by: string;
  readonly reason?: string;
  /** Of abort: devices that have the bundle keep it. */
  readonly leave?: boolean;
}

/** One thing that happened, for those that follow a rollout. */
export interface RolloutEvent {
  /** Grows; the place to go on from. */
  readonly n: number;
  readonly at: number;
  readonly decision: Decision;
}

type Also = (db: Database, id: string) => Promise<void>;
const nothing: Also = async () => undefined;

/** Rollouts as people and programs handle them: what the HTTP API offers. */
export class RolloutService {
  private readonly database: Database;
  private readonly now: () => number;

  constructor(database: Database, now: () => number) {
    this.database = database;
    this.now = now;
  }

  /** Who would get what when. Nothing is written. @throws EigenError EW1012_ROLLOUT_INVALID. */
  async preview(value: unknown): Promise<Preview> {
    const spec = parseRollout(value);
    const found = await findDevices(this.database, parseQuery(spec.query), this.now());
    const taken = await takenDevices(this.database);
    return previewOf(
      spec,
      found.filter((f) => !taken.has(f.device)),
      found.filter((f) => taken.has(f.device)),
    );
  }

  /**
   * Writes down a description as DRAFT.
   * @param also what belongs to it, in the same transaction; as in `act`.
   * @throws EigenError EW1012_ROLLOUT_INVALID.
   */
  async create(value: unknown, by: string, also: Also = nothing): Promise<Summary> {
    const spec = parseRollout(value);
    return this.database.transaction(async (db) => {
      const { rollout } = await insertRollout(db, spec, by, this.now());
      await also(db, rollout.id);
      return summaryOf(rollout, []);
    });
  }

  async list(): Promise<readonly (Pick<Rollout, 'id' | 'phase'> & { created: number; createdBy: string })[]> {
    const all = await listRollouts(this.database);
    return all.map(({ rollout: { id, phase }, created, createdBy }) => ({ id, phase, created, createdBy }));
  }

  async summary(id: string): Promise<Summary> {
    const { rollout } = await this.load(this.database, id);
    const views = await viewDevices(this.database, rollout, this.now());
    return summaryOf(
      rollout,
      views.flatMap((v) => v.member ?? []),
    );
  }

  /** What happened after an event, in order. */
  async events(id: string, after: number, most = 1000): Promise<RolloutEvent[]> {
    await this.load(this.database, id);
    return this.database.query<RolloutEvent>(
      'select n, at, decision from rollout_decisions where rollout = $1 and n > $2 order by n limit $3',
      [id, after, most],
    );
  }

  /**
   * What a person wants of a rollout. Nobody approves what they made.
   * @throws EigenError EW7301_ROLLOUT_STATE, EW1012_ROLLOUT_INVALID.
   */
  async act(id: string, request: ActionRequest, also: Also = nothing): Promise<Summary> {
    return this.database.transaction(async (db) => {
      const stored = await this.load(db, id);
      const { rollout } = stored;
      if (request.action === 'approve' && stored.createdBy === request.by)
        throw new EigenError('EW7301_ROLLOUT_STATE', `rollout ${id} was made by ${request.by}, who cannot approve it`, {
          hint: 'Somebody else has to look at it.',
        });
      const views = await viewDevices(db, rollout, this.now());
      const next = await takeDecisions(db, stored, views, this.decisions(rollout, views, request), this.now());
      if (!next) throw changed(id);
      await also(db, id);
      const after = await viewDevices(db, next.rollout, this.now());
      return summaryOf(
        next.rollout,
        after.flatMap((v) => v.member ?? []),
      );
    });
  }

  private decisions(rollout: Rollout, views: readonly DeviceView[], request: ActionRequest): Decision[] {
    const now = this.now();
    const { by, reason } = request;
    const why = reason === undefined ? `by ${by}` : `by ${by}: ${reason}`;
    switch (request.action) {
      case 'approve':
        return approve(rollout, now);
      case 'start':
        return start(rollout, views, now);
      case 'pause':
        return pause(rollout, `paused ${why}`, now);
      case 'resume':
        return resume(rollout, now);
      case 'abort':
        return abort(rollout, request.leave ? 'leave' : 'revert', `aborted ${why}`, now);
      case 'rollback':
        return abort(rollout, 'revert', `rolled back ${why}`, now);
      default:
        return request.action satisfies never;
    }
  }

  private async load(db: Database, id: string): Promise<Stored> {
    const stored = await loadRollout(db, id);
    if (stored) return stored;
    throw new EigenError('EW2102_NOT_FOUND', `there is no rollout '${id}'`, {
      hint: 'eigenweights rollout list shows those that there are.',
      details: { id },
    });
  }
}

function changed(id: string): EigenError {
  return new EigenError('EW7301_ROLLOUT_STATE', `rollout ${id} changed meanwhile`, { hint: 'Try it again.' });
}
