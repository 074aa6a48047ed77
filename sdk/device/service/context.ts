import type { Clock } from '../../util/clock.ts';
import type { AgentParts } from '../agent/agent.ts';
import type { PieceSource } from '../agent/fetch.ts';
import type { Outcome } from '../agent/ledger.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { type Hooks, unmetCondition } from './conditions.ts';
import type { AgentConfig } from './config.ts';
import type { Log } from './log.ts';

/** What everything that a device keeps up to date works with. */
export interface Context {
  readonly config: AgentConfig;
  readonly fs: DeviceFileSystem;
  readonly source: PieceSource;
  readonly log: Log;
  readonly clock: Clock;
  readonly hooks: Hooks;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Parts of an agent, whatever it keeps up to date. */
export function commonParts(
  context: Context,
  kind: 'model' | 'agent',
): Pick<AgentParts, 'device' | 'board' | 'fs' | 'source' | 'clock' | 'conditions' | 'report'> {
  const { config, fs, source, clock, hooks, log } = context;
  return {
    device: config.device,
    board: config.board,
    fs,
    source,
    clock,
    conditions: () => unmetCondition(config.conditions, new Date(clock.now()), hooks),
    report: async (outcome) => logOutcome(log, kind, outcome),
  };
}

function logOutcome(log: Log, kind: string, outcome: Outcome): void {
  if (outcome.kind === 'committed') {
    log('info', 'committed', { kind, sha256: outcome.sha256, release: outcome.release });
    return;
  }
  const { sha256, release, step, code, reason, attempts } = outcome.failure;
  log('error', 'update-failed', { kind, sha256, release, step, code, reason, attempts });
}
