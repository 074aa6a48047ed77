import { type Backoff, fullJitter } from '../../util/backoff.ts';
import type { Message } from '../../wire/protocol/messages.ts';
import { encodeMessage } from '../../wire/protocol/messages.ts';
import type { Database } from '../database/index.ts';
import { SILENCE } from '../registry/presence.ts';

/** Until the device is known to know it: a message may be lost. Milliseconds. */
const UNHEARD: Backoff = { first: 10_000, longest: 600_000 };
/** From then to its end: its report may be lost too, and a device answers a state that it knows with what became of it. */
const UNENDED: Backoff = { first: 120_000, longest: 1_800_000 };
/** Devices that are away are looked at again after so long; their birth comes first. */
const AWAY = 600_000;

export interface Due {
  readonly device: string;
  readonly message: Message<'dn'>;
  /** It was published before. */
  readonly repeated: boolean;
}

interface Row {
  readonly device: string;
  readonly rev: number;
  readonly action: Message<'dn'>['action'];
  readonly target: string;
  readonly state: string;
  readonly attempts: number;
  readonly online: boolean;
}

export interface Moment {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Desired states of these shards that are to be published now, and how many were looked at for them; sets when each is to be published again. A controller that dies between the
 * two leaves it to that next time.
 */
export async function takeDue(
  db: Database,
  shards: Iterable<string>,
  most: number,
  { now, random }: Moment,
): Promise<{ online: Due[]; looked: number }> {
  const rows = await db.query<Row>(
    `select t.device, t.rev, t.action, t.target, t.state, t.attempts, not d.closed and d.last_seen > $2::bigint - ${SILENCE} as online
     from desired t join devices d on d.name = t.device
     where t.next_at <= $2::bigint and d.shard in (select jsonb_array_elements_text($1::jsonb))
     order by t.device limit $3 for update of t`,
    [JSON.stringify([...shards]), now, most],
  );
  const next = rows.map(({ device, state, attempts, online }) => {
    const wait = online ? nextWait(state, attempts + 1, random) : AWAY * (0.5 + random());
    return { device, attempts: attempts + (online ? 1 : 0), next_at: Math.round(now + wait) };
  });
  if (next.length > 0)
    await db.query(
      `update desired t set attempts = n.attempts, next_at = n.next_at
       from jsonb_to_recordset($1::jsonb) as n(device text, attempts int, next_at bigint) where t.device = n.device`,
      [JSON.stringify(next)],
    );
  return { online: rows.filter((row) => row.online).map(dueOf), looked: rows.length };
}

/** At least half of the limit: a device that is asked again at once has not had the time to answer. */
function nextWait(state: string, attempts: number, random: () => number): number {
  return fullJitter(state === 'pending' ? UNHEARD : UNENDED, attempts, () => 0.5 + random() / 2);
}

function dueOf({ device, rev, action, target, attempts }: Row): Due {
  return {
    device,
    repeated: attempts > 0,
    message: { type: 'desired', rev, action, target: new Uint8Array(Buffer.from(target, 'hex')) },
  };
}

/** Gives up what has not ended by its deadline; returns the devices. */
export function giveUpLate(
  db: Database,
  shards: Iterable<string>,
  now: number,
): Promise<{ device: string; key: string }[]> {
  return db.query(
    `update desired t set state = 'stalled', ended = $2::bigint, next_at = null
     from devices d where d.name = t.device and t.ended is null and t.deadline <= $2::bigint
       and d.shard in (select jsonb_array_elements_text($1::jsonb))
     returning t.device, t.key`,
    [JSON.stringify([...shards]), now],
  );
}

export function encodeDesired(message: Message<'dn'>): Uint8Array {
  return encodeMessage('dn', message);
}
