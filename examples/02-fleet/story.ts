import {
  actOnRollout,
  createRollout,
  planRollout,
  type RolloutEvent,
  type RolloutInput,
  type RolloutSummary,
  watchRollout,
} from 'eigenweights';
import type { Fleet } from './fleet.ts';
import { BOARD } from './models.ts';

/** Prints a line; those who read along see when it was. */
export type Say = (line: string) => void;

export interface Chapter {
  readonly title: string;
  readonly name: string;
  readonly sha256: string;
  readonly more: Partial<RolloutInput>;
}

/** Devices' names for bundles, so that lines are short. */
export type Names = Map<string, string>;

/** Plans a rollout, starts it, and tells what happens until its end. */
export async function rollOut(fleet: Fleet, chapter: Chapter, names: Names, say: Say): Promise<RolloutSummary> {
  const { client } = fleet;
  names.set(chapter.sha256, chapter.name);
  const spec: RolloutInput = {
    name: chapter.name,
    query: 'tag.site = demo',
    variants: [{ sha256: chapter.sha256, board: BOARD }],
    waves: [{ share: 1 }],
    probationMilliseconds: 500,
    deadlineMilliseconds: 120_000,
    ...chapter.more,
  };
  say(`\n${chapter.title}`);
  const plan = await planRollout(client, spec);
  for (const { name, devices } of plan.waves)
    say(`  plan: ${name.padEnd(9)} ${devices.map((d) => d.device).join(' ')}`);
  for (const warning of plan.warnings) say(`  plan: ${warning}`);
  await createRollout(client, spec);
  await actOnRollout(client, chapter.name, 'start');
  return watchRollout(client, chapter.name, {
    onChange(_, events) {
      for (const line of linesOf(events, names, spec.waves.length)) say(`  ${line}`);
    },
  });
}

/** Events of one kind at one time in a line. */
function linesOf(events: readonly RolloutEvent[], names: Names, waves: number): string[] {
  const lines = new Map<string, string[]>();
  for (const { decision } of events) {
    const told = textOf(decision, names, waves);
    if (!told) continue;
    const devices = lines.get(told) ?? [];
    if ('device' in decision) devices.push(decision.device);
    lines.set(told, devices);
  }
  return [...lines].map(([text, devices]) => (devices.length > 0 ? `${text}: ${devices.join(' ')}` : text));
}

function textOf(d: RolloutEvent['decision'], names: Names, waves: number): string | undefined {
  switch (d.kind) {
    case 'phase':
      return `${d.phase === 'WAVE' ? waveName(d.wave, waves) : d.phase}${d.reason === undefined ? '' : `, ${d.reason}`}`;
    case 'offer':
      return `are to run ${names.get(d.target)}`;
    case 'revert':
      return `are to go back to ${d.target === undefined ? 'nothing' : names.get(d.target)}`;
    case 'outcome':
      return [d.state, d.code && ` (${d.code})`, d.reason && `: ${d.reason}`].filter((w) => w).join('');
    case 'look':
      return d.comparisons.map(comparison).join('; ') || undefined;
    default:
      return undefined;
  }
}

/** Those that were held back come after the last wave. */
function waveName(wave: number, waves: number): string {
  return wave < waves ? `WAVE ${wave}` : 'WAVE of those that were held back';
}

function comparison({ metric, loss, low, high }: { metric: string; loss: number; low: number; high: number }): string {
  const percent = (v: number): string => `${(100 * v).toFixed(1)} %`;
  const worse = loss < 0 ? `${percent(-loss)} better` : `${percent(loss)} worse`;
  return `${metric}: ${worse} than on devices that are held back (loss between ${percent(low)} and ${percent(high)})`;
}
