import type { Birth, Health, Heard, Report, Status } from '../../../sdk/fleet/registry/change.ts';
import { sha256 } from '../../../sdk/util/hash.ts';

/** Devices that say what the tests want. */

export function digestOf(name: string): string {
  return sha256(name);
}

export function bytesOfDigest(name: string): Uint8Array {
  return new Uint8Array(Buffer.from(digestOf(name), 'hex'));
}

export function birth(device: string, epoch: number, rev = 0, more: Partial<Birth> = {}): Heard {
  const message: Birth = {
    type: 'birth',
    epoch,
    rev,
    agent: '0.1.0',
    board: 'pi-5',
    slots: [],
    metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
    ...more,
  };
  return { device, at: 1000 + epoch, message };
}

export function presence(device: string, epoch: number, online: boolean): Heard {
  return { device, at: 1000 + epoch, message: { type: 'presence', epoch, online, rev: 0 } };
}

export function status(device: string, epoch: number, seq: number, rev: number, more: Partial<Status> = {}): Heard {
  const message: Status = { type: 'status', epoch, seq, rev, step: 'fetch', done: 1, total: 2, ...more };
  return { device, at: 1000 + epoch, message };
}

export function report(device: string, epoch: number, seq: number, rev: number, more: Partial<Report> = {}): Heard {
  const message: Report = { type: 'report', epoch, seq, rev, outcome: 'committed', received: 10, ...more };
  return { device, at: 1000 + epoch, message };
}

export function health(device: string, epoch: number, seq: number, more: Partial<Health> = {}): Heard {
  const message: Health = {
    type: 'health',
    epoch,
    seq,
    running: bytesOfDigest('model'),
    runs: 5,
    failures: 0,
    ...more,
  };
  return { device, at: 1000 + epoch, message };
}
