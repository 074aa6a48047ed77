import type { Agent, AgentParts } from '../agent/agent.ts';
import type { PieceSource } from '../agent/fetch.ts';
import type { Outcome } from '../agent/ledger.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { type Hooks, unmetCondition } from './conditions.ts';
import type { AgentConfig } from './config.ts';
import type { Log } from './log.ts';
import { Loop } from './loop.ts';
import type { Kind, Upstream } from './upstream.ts';

/** What everything that a device keeps up to date works with. */
export interface Context {
  readonly config: AgentConfig;
  readonly fs: DeviceFileSystem;
  readonly upstream: Upstream;
  /** The upstream's, in a form that can be stopped. */
  readonly source: PieceSource;
  readonly log: Log;
  readonly hooks: Hooks;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Parts of an agent, whatever it keeps up to date. */
export function commonParts(
  context: Context,
  kind: Kind,
): Pick<
  AgentParts,
  'device' | 'board' | 'fs' | 'source' | 'clock' | 'conditions' | 'begun' | 'report' | 'fallbackBytes'
> {
  const { config, fs, upstream, source, hooks, log } = context;
  const { clock } = upstream;
  const fallbackBytes = config.controller?.fallbackBytes;
  return {
    device: config.device,
    board: config.board,
    fs,
    source,
    clock,
    conditions: () => unmetCondition(config.conditions, new Date(clock.now()), hooks),
    begun: (step) => upstream.begun(kind, step),
    report: async (outcome) => {
      await upstream.report(kind, outcome);
      logOutcome(log, kind, outcome);
    },
    ...(fallbackBytes === undefined ? {} : { fallbackBytes }),
  };
}

/** Keeps an agent at its steps. */
export function loopOf(context: Context, kind: Kind, agent: Agent, exchanging?: () => Promise<void>): Loop {
  const { config, upstream, log, random } = context;
  return new Loop({
    kind,
    agent,
    director: upstream.directors[kind],
    clock: upstream.clock,
    log,
    random,
    exchangeMilliseconds: config.exchangeSeconds * 1000,
    taken: (taken) => upstream.taken(kind, taken),
    ...(exchanging ? { exchanging } : {}),
  });
}

function logOutcome(log: Log, kind: Kind, outcome: Outcome): void {
  if (outcome.kind === 'committed') {
    log('info', 'committed', { kind, sha256: outcome.sha256, release: outcome.release });
    return;
  }
  const { sha256, release, step, code, reason, attempts } = outcome.failure;
  log('error', 'update-failed', { kind, sha256, release, step, code, reason, attempts });
}
