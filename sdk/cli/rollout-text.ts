import type { RolloutEvent, RolloutPreview, RolloutSummary } from '../index.ts';
import { formatPercent, printable, table } from './format.ts';

/** Devices of a wave that are named in a plan; all with -v. */
const NAMED = 8;

export function previewText({ waves, warnings }: RolloutPreview, all: boolean): string {
  const rows = waves.flatMap(({ name, devices }) => {
    const shown = all ? devices : devices.slice(0, NAMED);
    const named = shown.map((d, i) => [
      i === 0 ? name : '',
      i === 0 ? String(devices.length) : '',
      d.device,
      d.board,
      d.online ? '' : 'away',
      short(d.running),
      short(d.bundle),
    ]);
    const rest = devices.length - shown.length;
    if (devices.length === 0) return [[name, '0', '', '', '', '', '']];
    return rest > 0 ? [...named, ['', '', `... ${rest} more`, '', '', '', '']] : named;
  });
  const head = ['wave', 'devices', 'device', 'board', '', 'runs', 'gets'];
  return [table([head, ...rows], [1]), ...warnings.map((w) => `note: ${w}`)].join('\n');
}

export function summaryText(summary: RolloutSummary): string {
  const { id, phase, wave, reason, waits, waves, comparisons, failures } = summary;
  const working = phase === 'CANARY' || phase === 'WAVE' || phase === 'PAUSED';
  const why = reason ?? waits;
  const lines = [`${id}: ${phase}${working ? ` (${wave})` : ''}${why === undefined ? '' : `, ${why}`}`];
  if (waves.some((w) => w.devices > 0)) lines.push(waveTable(waves));
  for (const c of comparisons) {
    const interval = `${formatPercent(c.low, 2)} to ${formatPercent(c.high, 2)}`;
    lines.push(`${worse(c)} than on devices held back (${interval}, margin ${formatPercent(c.margin)})`);
  }
  for (const { device, state, ...why } of failures.slice(0, NAMED)) lines.push(`${device}: ${state}${reasonOf(why)}`);
  if (failures.length > NAMED) lines.push(`... ${failures.length - NAMED} more that did not go well`);
  return lines.join('\n');
}

function waveTable(waves: RolloutSummary['waves']): string {
  const head = ['wave', 'devices', 'installed', 'failed', 'stalled', 'to come', 'away', 'going back', 'went back'];
  const rows = waves.map((w) =>
    [w.devices, w.committed, w.failed, w.stalled, w.open, w.absent, w.reverting, w.reverted].map(String),
  );
  const named = rows.map((row, i) => [waves[i]!.name, ...row]);
  return table(
    [head, ...named],
    head.map((_, i) => i).filter((i) => i > 0),
  );
}

/** What happened, in a line; undefined of what only programs want to know. */
export function eventText({ at, decision }: RolloutEvent): string | undefined {
  const text = textOf(decision);
  return text && `${new Date(at).toISOString().slice(11, 19)}  ${text}`;
}

function textOf(d: RolloutEvent['decision']): string | undefined {
  switch (d.kind) {
    case 'phase':
      return `${d.phase}${d.phase === 'WAVE' ? ` ${d.wave}` : ''}${d.reason === undefined ? '' : `: ${d.reason}`}`;
    case 'offer':
      return `${d.device} is to run ${short(d.target)}`;
    case 'revert':
      return d.target === undefined
        ? `${d.device} is to leave it alone`
        : `${d.device} is to go back to ${short(d.target)}`;
    case 'outcome':
      return `${d.device} ${d.state}${reasonOf(d)}`;
    case 'look':
      return d.comparisons.map(worse).join(', ') || undefined;
    default:
      return undefined;
  }
}

/** Why something failed, in the words of a device. */
function reasonOf({ code, reason }: { readonly code?: string; readonly reason?: string }): string {
  const words = [code && ` (${printable(code)})`, reason && `: ${printable(reason)}`];
  return words.filter((w) => w).join('');
}

function worse({ metric, loss }: { readonly metric: string; readonly loss: number }): string {
  return `${metric} is ${formatPercent(Math.abs(loss), 2)} ${loss < 0 ? 'better' : 'worse'}`;
}

function short(digest: string | undefined): string {
  return digest?.slice(0, 8) ?? '';
}
