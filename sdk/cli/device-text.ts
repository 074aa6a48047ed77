import type { DeviceReport, FleetDevice } from '../index.ts';
import { formatBytes, formatPercent, formatSeconds, printable, table } from './format.ts';

/** A line a device: what it runs, what it was told, what it does. */
export function devicesText(devices: readonly FleetDevice[], now: number): string {
  const head = ['device', 'board', 'there', 'runs', 'told', '', 'does'];
  const rows = devices.map((d) => [
    d.name,
    printable(d.board ?? ''),
    thereText(d, now),
    short(d.running),
    short(d.desired?.target ?? null),
    d.desired?.state ?? '',
    activityText(d),
  ]);
  return table([head, ...rows]);
}

export function deviceText(d: FleetDevice, reports: readonly DeviceReport[], now: number): string {
  const { desired } = d;
  const tags = Object.entries(d.tags).map(([name, value]) => `${name}=${value}`);
  const facts: [string, string | undefined | null][] = [
    ['device', d.name],
    ['board', d.board],
    ['there', thereText(d, now)],
    ['seen', `${timeOf(d.lastSeen)}, first ${timeOf(d.firstSeen)}`],
    ['tags', tags.join(' ')],
    ['agent', [d.agent, d.self].filter((t) => t !== null).join(' ')],
    ['profile', d.profile],
    ['runs', d.running],
    ['95 of 100 take', d.p95 === null ? null : formatSeconds(d.p95 / 1e6)],
    ['memory', d.memory === null ? null : formatBytes(d.memory)],
    ['temperature', d.temperature === null ? null : `${d.temperature.toFixed(1)} C`],
    ['told', desired && `${desired.action} ${desired.target} (${timeOf(desired.at)})`],
    ['outcome', desired && outcomeText(desired.state, desired)],
    ['does', activityText(d)],
  ];
  const shown = facts.flatMap(([name, value]) => (value ? [[name, printable(value)]] : []));
  const lines = reports.map((r) => [timeOf(r.at), outcomeText(r.outcome, r), formatBytes(r.received)]);
  return [table(shown), ...(lines.length > 0 ? ['', table([['reports', '', 'fetched'], ...lines])] : [])].join('\n');
}

/** What a device is at, and what it waits for. */
function activityText({ step, done, total, why }: FleetDevice): string {
  if (step === null) return '';
  const share = total ? ` ${formatPercent((done ?? 0) / total, 0)} of ${formatBytes(total)}` : '';
  return `${step}${share}${why === null ? '' : `: ${printable(why)}`}`;
}

function outcomeText(
  outcome: string,
  { step, code, attack, reason }: Partial<Pick<DeviceReport, 'step' | 'code' | 'attack' | 'reason'>>,
): string {
  const words = [step && `in ${step}`, attack && `attack: ${attack}`, code && `(${code})`].filter((w) => w);
  return printable(`${[outcome, ...words].join(' ')}${reason ? `: ${reason}` : ''}`);
}

function thereText({ online, revoked, lastSeen }: FleetDevice, now: number): string {
  if (revoked) return 'revoked';
  return online ? 'yes' : `away ${awayFor(now - lastSeen)}`;
}

/** The largest unit is enough. */
function awayFor(milliseconds: number): string {
  const minutes = Math.max(0, milliseconds) / 60_000;
  if (minutes < 60) return `${Math.round(minutes)} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

function timeOf(at: number): string {
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

function short(digest: string | null): string {
  return digest?.slice(0, 8) ?? '';
}
