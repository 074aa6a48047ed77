import type { Database } from '../../database/index.ts';
import type { HealthChange, HealthSums } from '../health.ts';
import { LOOKS } from '../looks.ts';
import type { Rollout } from '../state.ts';

interface Row {
  readonly device: string;
  readonly later: boolean;
  readonly name: string;
  readonly count: number;
  readonly sum: number;
}

/** What one measurement counts for at most: sums of what devices make up must be numbers still. */
const MOST = '1e100';

/**
 * What the devices that have the bundle and those that are held back measured since the wave began, and in as much time as a wave may be
 * watched before the first did. With a model counts what it measured, before it what others did. Under an agent any model does: there the
 * time between being told and having the agent is left out.
 */
export async function healthOf(
  db: Database,
  { id, spec, started, waveStarted }: Rollout,
): Promise<Map<string, HealthChange>> {
  const horizon = started! - LOOKS.at(-1)! * spec.gate.soakMilliseconds;
  const rows = await db.query<Row>(
    `with measured as (
       select h.*, h.at >= $3::bigint as later from health h join rollout_members m on m.device = h.device
       left join desired t on t.device = m.device and starts_with(t.key, m.rollout || '/')
       where m.rollout = $1 and h.at >= $2::bigint and (
         (m.wave = $4 and m.state = 'WAITING')
         or (m.state = 'COMMITTED' and case when $6 = 'agent'
           then h.at >= greatest($3::bigint, m.offered, t.ended) or (h.at < least($3::bigint, m.offered) and m.previous is distinct from m.target)
           else (h.running = m.target) = (h.at >= $3::bigint) end))
     )
     select device, later, v.name, sum(v.count)::bigint as count, sum(v.sum) as sum
     from measured cross join lateral (
       select 'failures' as name, runs as count, failures::double precision as sum where runs > 0
       union all select 'p95', 1, p95::double precision / 1000 where p95 is not null
       union all select 'memory', 1, memory::double precision where memory is not null
       union all select key, 1, greatest(least((value #>> '{}')::double precision, ${MOST}), -${MOST}) from jsonb_each(metrics)
     ) v
     where v.name in (select jsonb_array_elements_text($5::jsonb))
     group by device, later, v.name`,
    [id, horizon, waveStarted, spec.waves.length, JSON.stringify(spec.gate.metrics.map((m) => m.name)), spec.kind],
  );
  const changes = new Map<
    string,
    { before: Record<string, HealthSums[string]>; after: Record<string, HealthSums[string]> }
  >();
  for (const { device, later, name, count, sum } of rows) {
    const change = changes.get(device) ?? { before: {}, after: {} };
    change[later ? 'after' : 'before'][name] = { count, sum };
    changes.set(device, change);
  }
  return changes;
}
