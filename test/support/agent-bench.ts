import * as assert from 'uvu/assert';
import { Agent, type AgentParts, type Taken } from '../../sdk/device/agent/agent.ts';
import type { PieceSource } from '../../sdk/device/agent/fetch.ts';
import type { Outcome } from '../../sdk/device/agent/ledger.ts';
import { AGENT_STORE } from '../../sdk/device/service/boot.ts';
import { Slots } from '../../sdk/device/store/slots.ts';
import type { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { EigenError } from '../../sdk/util/errors.ts';
import { sha256 } from '../../sdk/util/hash.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import type { Assignment } from '../../sdk/wire/assignment.ts';
import type { BlobSpec } from '../../sdk/wire/blob.ts';
import { pieceOf, VERSIONS } from './versions.ts';

/** Everything an agent needs but a file system, in the hands of a test. */
export class Bench {
  now = 1_000_000;
  /** What the device finds wrong, by the version that runs. */
  unhealthy = new Set<number>();
  condition: string | undefined;
  outcomes: Outcome[] = [];
  fetched = 0;
  source: PieceSource = {
    fetch: async function* (this: void, blob: BlobSpec, pieces: readonly number[]) {
      const { bytes } = VERSIONS.find((v) => v.sha256 === blob.sha256)!;
      for (const index of pieces) yield { index, bytes: pieceOf(bytes, blob, index) };
    },
  };
  agent: Agent | undefined;
  /** What is updated is the agent itself: it is booted from its own slots, and starts again as another one after a swap. */
  self = false;

  parts(fs: AgentParts['fs'], change: Partial<AgentParts> = {}): AgentParts {
    return {
      device: 'device',
      board: 'board',
      fs,
      clock: { now: () => this.now, monotonic: () => this.now },
      source: {
        fetch: (blob, pieces) => {
          this.fetched += pieces.length;
          return this.source.fetch(blob, pieces);
        },
      },
      loader: {
        load: async (bytes) => {
          const hit = VERSIONS.find((v) => v.sha256 === sha256(bytes));
          if (!hit) throw new EigenError('EW6002_BUNDLE_TAMPERED', 'a mix of versions');
          return {
            signature: { inputs: [], outputs: [] },
            modelBytes: bytes.length,
            run: async () => ({ version: tensor('i32', [1], [hit.version]) }),
            runGolden: async () => [1],
            close: () => undefined,
          };
        },
      },
      conditions: async () => this.condition,
      health: async () => {
        const version = this.agent && (await versionOf(this.agent));
        return version !== undefined && this.unhealthy.has(version) ? 'it answers nonsense' : undefined;
      },
      report: async (outcome) => {
        this.outcomes.push(outcome);
      },
      ...change,
    };
  }

  async start(fs: AgentParts['fs'], change: Partial<AgentParts> = {}): Promise<Agent> {
    this.agent = undefined;
    const found = this.self ? await (await Slots.open(fs, AGENT_STORE.slots)).recover() : undefined;
    const store = this.self ? { store: AGENT_STORE } : {};
    this.agent = await Agent.start(this.parts(fs, { ...store, ...change }), found);
    return this.agent;
  }

  /** Starts, as a service manager does: again where it fails, until somebody mends the medium. Undefined when power goes. */
  async startAgain(fs: CrashFileSystem): Promise<Agent | undefined> {
    for (let tries = 0; fs.powered; tries++) {
      try {
        return await this.start(fs);
      } catch (e) {
        if (tries === 3 && fs.powered) throw e;
        if (tries === 2) fs.repair();
      }
    }
    return undefined;
  }

  /** Steps, with the time passing that they wait for, until there is nothing left to do; `each` looks at the device after each. */
  async drive(
    agent: Agent,
    assignment: Assignment | undefined,
    fs: CrashFileSystem,
    each: (taken: Taken) => Promise<void> = async () => undefined,
  ): Promise<Taken[]> {
    const all: Taken[] = [];
    let current: Agent | undefined = agent;
    for (let steps = 0; steps < 600 && fs.powered && current; steps++) {
      const taken: Taken = await current.step(assignment);
      all.push(taken);
      await each(taken);
      if (this.self && taken.step.name === 'SWAP' && taken.ended === 'done') current = await this.startAgain(fs);
      if (taken.step.name === 'IDLE') {
        if (taken.step.until === undefined) return all;
        this.now = Math.max(this.now, taken.step.until);
      } else if (taken.ended !== 'done' && taken.step.name !== 'REPORT') this.now += 60_001;
    }
    assert.not(fs.powered, `no end: ${all.slice(-3).map((t) => `${t.step.name} ${t.ended} ${t.reason}`)}`);
    return all;
  }
}

/** Version of the model that answers; undefined while none does. */
export async function versionOf(agent: Agent): Promise<number | undefined> {
  if (agent.host.serving === undefined) return undefined;
  const { version } = await agent.host.run({});
  return Number(version!.data[0]);
}
