import type { Database } from '../../database/index.ts';
import { type Decision as Telling, decide as tell } from '../../desired/decide.ts';
import { applyToMember, applyToRollout } from '../apply.ts';
import { type Decision, type DeviceView, keyOf, type Member } from '../state.ts';
import { type Stored, updateRollout } from './rollouts.ts';

/**
 * Takes decisions, in the transaction of the caller: those that were not taken before, under their keys. What devices are to be is decided
 * with them, so that neither is without the other.
 * @returns the rollout after them; undefined when somebody changed it since it was read, and nothing is taken.
 */
export async function takeDecisions(
  db: Database,
  stored: Stored,
  views: readonly DeviceView[],
  decisions: readonly Decision[],
  now: number,
): Promise<Stored | undefined> {
  const { id } = stored.rollout;
  const rollout = decisions.reduce(applyToRollout, stored.rollout);
  if (!(await updateRollout(db, { ...stored, rollout }, now))) return undefined;
  const rows = decisions.map((decision) => ({ key: keyOf(decision), decision }));
  const fresh = await db.query<{ key: string }>(
    `insert into rollout_decisions (rollout, key, at, decision)
     select $1, key, $3, decision from jsonb_to_recordset($2::jsonb) as d(key text, decision jsonb)
     on conflict do nothing returning key`,
    [id, JSON.stringify(rows), now],
  );
  if (fresh.length !== rows.length) throw new Error(`rollout ${id}: a decision was taken before, and is to be again`);
  await writeMembers(db, id, changedMembers(views, decisions));
  await tell(db, tellings(id, views, decisions), now);
  return { ...stored, rollout, revision: stored.revision + 1, changed: now };
}

function changedMembers(views: readonly DeviceView[], decisions: readonly Decision[]): Member[] {
  const known = new Map(views.map((v) => [v.facts.device, v.member]));
  const changed = new Map<string, Member>();
  for (const decision of decisions) {
    if (!('device' in decision)) continue;
    const { device } = decision;
    const member = applyToMember(changed.get(device) ?? known.get(device), decision);
    if (member) changed.set(device, member);
  }
  return [...changed.values()];
}

async function writeMembers(db: Database, rollout: string, members: readonly Member[]): Promise<void> {
  if (members.length === 0) return;
  const rows = members.map(({ notBefore, ...m }) => ({ ...m, not_before: notBefore }));
  const columns =
    'wave, late, state, undone, attempt, failures, target, previous, refused, offered, contacted, not_before, code, reason';
  await db.query(
    `insert into rollout_members (rollout, device, ${columns})
     select $1, device, ${columns} from jsonb_to_recordset($2::jsonb) as m(device text, wave int, late boolean, state text,
       undone boolean, attempt int, failures int, target text, previous text, refused jsonb, offered bigint, contacted bigint,
       not_before bigint, code text, reason text)
     on conflict (rollout, device) do update set (${columns}) = (${columns.replaceAll(/\w+/g, 'excluded.$&')})`,
    [rollout, JSON.stringify(rows)],
  );
}

/** What devices are to be told. Who has nothing to go back to is told to leave the bundle alone. */
function tellings(id: string, views: readonly DeviceView[], decisions: readonly Decision[]): Telling[] {
  const targets = new Map(views.map((v) => [v.facts.device, v.member?.target]));
  return decisions.flatMap((decision): Telling[] => {
    if (decision.kind !== 'offer' && decision.kind !== 'revert') return [];
    const { device, target } = decision;
    const known = { key: `${id}/${keyOf(decision)}`, device, source: `rollout/${id}` };
    if (target !== undefined) return [{ ...known, action: 'install', target }];
    const offered = targets.get(device);
    return offered === undefined ? [] : [{ ...known, action: 'abort', target: offered }];
  });
}
