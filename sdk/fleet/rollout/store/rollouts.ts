import type { Database } from '../../database/index.ts';
import { parseRollout, type RolloutSpec } from '../spec.ts';
import type { Rollout } from '../state.ts';

/** A rollout as it is written down. */
export interface Stored {
  readonly rollout: Rollout;
  /** Grows with every change. */
  readonly revision: number;
  readonly created: number;
  readonly createdBy: string;
  readonly changed: number;
}

interface Row {
  readonly id: string;
  readonly spec: unknown;
  readonly phase: Rollout['phase'];
  readonly state: Omit<Rollout, 'id' | 'spec' | 'phase'>;
  readonly revision: number;
  readonly created: number;
  readonly created_by: string;
  readonly changed: number;
}

const COLUMNS = 'id, spec, phase, state, revision, created, created_by, changed';

function storedOf({ id, spec, phase, state, revision, created, created_by: createdBy, changed }: Row): Stored {
  return { rollout: { id, spec: parseRollout(spec), phase, ...state }, revision, created, createdBy, changed };
}

/** Writes down a new one as DRAFT, under its name or the next number of it. */
export async function insertRollout(db: Database, spec: RolloutSpec, by: string, now: number): Promise<Stored> {
  const state: Row['state'] = { wave: 0, turn: 0, looks: 0 };
  for (let n = 1; ; n++) {
    const id = n === 1 ? spec.name : `${spec.name}.${n}`;
    const [row] = await db.query<Row>(
      `insert into rollouts (id, spec, phase, state, created, created_by, changed)
       values ($1, $2::jsonb, 'DRAFT', $3::jsonb, $4, $5, $4) on conflict do nothing returning ${COLUMNS}`,
      [id, JSON.stringify(spec), JSON.stringify(state), now, by],
    );
    if (row) return storedOf(row);
  }
}

export async function loadRollout(db: Database, id: string): Promise<Stored | undefined> {
  const [row] = await db.query<Row>(`select ${COLUMNS} from rollouts where id = $1`, [id]);
  return row && storedOf(row);
}

/** All, the newest first. */
export async function listRollouts(db: Database): Promise<Stored[]> {
  const rows = await db.query<Row>(`select ${COLUMNS} from rollouts order by created desc, id`);
  return rows.map(storedOf);
}

/** Those in which something may happen by itself: that are going on, or have devices that were told something and have not answered. */
export async function openRollouts(db: Database): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    `select id from rollouts r where phase in ('CANARY', 'WAVE', 'PAUSED', 'ABORTING')
       or (phase in ('DONE', 'FAILED', 'ABORTED') and exists (
         select 1 from rollout_members m join desired t on t.device = m.device
         where m.rollout = r.id and m.state in ('OFFERED', 'STALLED', 'REVERTING') and starts_with(t.key, r.id || '/tell/')))
     order by created`,
  );
  return rows.map((r) => r.id);
}

/** Those that are done and may have something for devices that come later: the last ones, the newest first. */
export async function doneRollouts(db: Database, most: number): Promise<Rollout[]> {
  const rows = await db.query<Row>(
    `select ${COLUMNS} from rollouts where phase = 'DONE' and state ? 'ended' order by (state ->> 'ended')::bigint desc limit $1`,
    [most],
  );
  return rows.map((row) => storedOf(row).rollout);
}

/**
 * Writes it down where nobody changed it since it was read.
 * @returns whether that is so; the row is locked until the transaction ends.
 */
export async function updateRollout(db: Database, { rollout, revision }: Stored, now: number): Promise<boolean> {
  const { id, spec: _, phase, ...state } = rollout;
  const rows = await db.query(
    `update rollouts set phase = $3, state = $4::jsonb, revision = revision + 1, changed = $5
     where id = $1 and revision = $2 returning id`,
    [id, revision, phase, JSON.stringify(state), now],
  );
  return rows.length > 0;
}
