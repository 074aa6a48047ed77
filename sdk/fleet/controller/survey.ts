import type { Database } from '../database/index.ts';
import { SILENCE } from '../registry/presence.ts';
import type { Metrics } from './metrics.ts';

/** Counts the devices of these shards. */
export async function surveyShards(
  db: Database,
  shards: readonly string[],
  now: number,
  metrics: Metrics,
): Promise<void> {
  const held = JSON.stringify(shards);
  const devices = await db.query<{ board: string | null; online: boolean; count: number }>(
    `select board, not closed and last_seen > $2::bigint - ${SILENCE} as online, count(*) as count from devices
     where shard in (select jsonb_array_elements_text($1::jsonb)) group by 1, 2`,
    [held, now],
  );
  const states = await db.query<{ state: string; count: number }>(
    `select t.state, count(*) as count from desired t join devices d on d.name = t.device
     where d.shard in (select jsonb_array_elements_text($1::jsonb)) group by 1`,
    [held],
  );
  for (const gauge of [metrics.devices, metrics.boards, metrics.states]) gauge.reset();
  for (const presence of ['online', 'offline'] as const)
    metrics.devices.set({ presence }, sum(devices.filter((d) => d.online === (presence === 'online'))));
  for (const board of new Set(devices.map((d) => d.board ?? 'unknown')))
    metrics.boards.set({ board }, sum(devices.filter((d) => (d.board ?? 'unknown') === board)));
  for (const { state, count } of states) metrics.states.set({ state }, count);
}

function sum(rows: readonly { readonly count: number }[]): number {
  return rows.reduce((total, row) => total + row.count, 0);
}
