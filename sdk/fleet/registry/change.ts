import type { Message } from '../../wire/protocol/messages.ts';
import { mergePresence, NEVER_SEEN, type Presence } from './presence.ts';

type Up = Message<'up'>;
export type Birth = Extract<Up, { type: 'birth' }>;
export type Status = Extract<Up, { type: 'status' }>;
export type Report = Extract<Up, { type: 'report' }>;
export type Health = Extract<Up, { type: 'health' }>;

/** A message of a device, and when it came (milliseconds since 1970). */
export interface Heard {
  readonly device: string;
  readonly at: number;
  readonly message: Up | Message<'st'>;
}

/** What some messages of one device come to: of births, statuses and measurements the newest, of reports and measurements all. */
export interface DeviceChange {
  readonly device: string;
  readonly lastSeen: number;
  readonly presence: Presence;
  /** Highest revision of the desired state that it says to know. */
  readonly rev: number;
  readonly birth?: Birth;
  readonly status?: Status;
  readonly newest?: Health;
  readonly reports: readonly (Report & { readonly at: number })[];
  readonly healths: readonly (Health & { readonly at: number })[];
}

interface Building extends DeviceChange {
  lastSeen: number;
  presence: Presence;
  rev: number;
  birth?: Birth;
  status?: Status;
  newest?: Health;
  reports: (Report & { at: number })[];
  healths: (Health & { at: number })[];
}

/** One change a device, in order of their names: transactions that lock them in one order do not lock each other out. */
export function changesOf(heard: readonly Heard[]): DeviceChange[] {
  const changes = new Map<string, Building>();
  for (const one of heard) {
    let change = changes.get(one.device);
    if (!change) {
      change = { device: one.device, lastSeen: one.at, presence: NEVER_SEEN, rev: 0, reports: [], healths: [] };
      changes.set(one.device, change);
    }
    add(change, one);
  }
  return [...changes.values()].sort((a, b) => (a.device < b.device ? -1 : 1));
}

function add(change: Building, { at, message }: Heard): void {
  const closed = message.type === 'presence' && !message.online;
  change.presence = mergePresence(change.presence, { epoch: message.epoch, closed });
  // A will says when the broker noticed, not that the device was there.
  if (!closed) change.lastSeen = Math.max(change.lastSeen, at);
  switch (message.type) {
    case 'presence':
      // A will has the revision of when the connection was made.
      break;
    case 'birth':
      if (!change.birth || message.epoch >= change.birth.epoch) change.birth = message;
      break;
    case 'status':
      change.rev = Math.max(change.rev, message.rev);
      if (isNewer(message, change.status)) change.status = message;
      break;
    case 'report':
      change.rev = Math.max(change.rev, message.rev);
      change.reports.push({ ...message, at });
      break;
    case 'health':
      if (isNewer(message, change.newest)) change.newest = message;
      change.healths.push({ ...message, at });
      break;
  }
}

function isNewer<T extends { readonly epoch: number; readonly seq: number }>(a: T, b: T | undefined): boolean {
  return b === undefined || a.epoch > b.epoch || (a.epoch === b.epoch && a.seq > b.seq);
}
