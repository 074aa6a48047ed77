import { packageVersion } from '../../util/package.ts';
import { MAX_TEXT, type UpdateStep } from '../../wire/protocol/messages.ts';
import type { Failure, Outcome } from '../agent/ledger.ts';
import type { Birth, Health, Report } from '../link/index.ts';
import type { MetadataVersions } from '../trust/trust.ts';
import type { ModelHealth } from './monitor.ts';
import type { Facts } from './upstream.ts';

/** What the protocol says, of what the agent knows. */

/** What a device is whatever runs on it. */
export interface Machine {
  readonly board: string;
  /** SHA-256 of its profile: see `profileDigest`. */
  readonly profile: string;
}

export function birthOf({ running, installed, self }: Facts, machine: Machine, metadata: MetadataVersions): Birth {
  return {
    agent: packageVersion(),
    board: machine.board,
    profile: digestOf(machine.profile),
    ...(self === undefined ? {} : { self: digestOf(self) }),
    ...(running === undefined ? {} : { running: digestOf(running) }),
    slots: installed.map(digestOf),
    metadata,
  };
}

/** @param received bytes that were fetched for it. */
export function reportOf(outcome: Outcome, { running, modelBytes }: Facts, received: number): Report {
  const common = {
    received,
    ...(running === undefined ? {} : { running: digestOf(running) }),
    ...(modelBytes === undefined ? {} : { memory: modelBytes }),
  };
  if (outcome.kind === 'committed') return { outcome: 'committed', ...common };
  const { failure } = outcome;
  const { code, attack, step, reason } = failure;
  return {
    outcome: endOf(failure),
    ...common,
    ...(code === '' ? {} : { code: code.slice(0, LONGEST_NAME) }),
    ...(attack === undefined ? {} : { attack }),
    ...(step === 'REPORT' ? {} : { step: step.toLowerCase() as UpdateStep }),
    ...(reason === '' ? {} : { reason: textOf(reason) }),
  };
}

/** As much of a text as a message may have; U+FFFD stands for what it may not. */
export function textOf(text: string): string {
  const bytes = new Uint8Array(MAX_TEXT);
  const { written } = new TextEncoder().encodeInto(text.replaceAll('\0', '\ufffd'), bytes);
  return new TextDecoder().decode(bytes.subarray(0, written));
}

const LONGEST_NAME = 128;

/** A device tries again what has only failed. */
function endOf({ step, poisoned }: Failure): Report['outcome'] {
  if (step === 'PROBATION') return 'rolled-back';
  return poisoned ? 'refused' : 'failed';
}

export function healthOf(health: ModelHealth, { running, modelBytes }: Facts): Health | undefined {
  if (running === undefined) return undefined;
  const { runs, failures, p95Milliseconds, temperature, metrics } = health;
  return {
    running: digestOf(running),
    runs,
    failures,
    ...(p95Milliseconds === undefined ? {} : { p95: Math.round(p95Milliseconds * 1000) }),
    ...(modelBytes === undefined ? {} : { memory: modelBytes }),
    ...(temperature === undefined ? {} : { temperature }),
    ...(Object.keys(metrics).length === 0 ? {} : { metrics }),
  };
}

function digestOf(hex: string): Uint8Array {
  return new Uint8Array(Buffer.from(hex, 'hex'));
}
