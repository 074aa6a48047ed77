import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { connectModel } from '../../sdk/device/client/socket-client.ts';
import { AgentFolder, type AgentProcess } from './agent-process.ts';
import { four } from './fake-model.ts';
import { bundleOf } from './scale-bundle.ts';

/** Calls that change what is on the medium, or make it durable. */
const CALLS = ['pwrite64', 'fsync', 'rename', 'unlink', 'mkdir', 'ftruncate'] as const;
type Call = (typeof CALLS)[number];

/** All work on files is done by one thread, so that the number of a call means the same call every time. */
const ONE_THREAD = { UV_THREADPOOL_SIZE: '1' };

/** A kind of update of a real agent. */
export interface KilledUpdate {
  readonly name: string;
  /** Factors of the models that are installed before, one after another. */
  readonly before: readonly number[];
  /** The model that is assigned. */
  readonly to?: number;
  /** The agent itself is updated: it is installed and runs on probation from the next start on, or has been started. */
  readonly agent?: 'installed' | 'started';
  readonly unhealthy?: boolean;
  /** Factor of the model that is there in the end. */
  readonly ends: number;
}

export const KILLED_UPDATES: readonly KilledUpdate[] = [
  { name: 'first install', before: [], to: 3, ends: 3 },
  { name: 'hot swap', before: [3], to: 5, ends: 5 },
  { name: 'hot swap, garbage collected', before: [3, 5], to: 7, ends: 7 },
  { name: 'back to the model before', before: [3, 5], to: 3, ends: 3 },
  { name: 'rollback', before: [3], to: 5, unhealthy: true, ends: 3 },
  { name: 'agent', before: [3], agent: 'installed', ends: 3 },
  { name: 'agent on probation', before: [3], agent: 'started', ends: 3 },
];

/** The agent is the one that is assigned, and no longer on probation. */
const UPDATED = { event: 'step', kind: 'agent', why: 'what is assigned runs' };

const ENDED = { event: 'ended' };

/** A call of an update at which the agent is killed: which, and the how manieth. */
export interface KillPoint {
  readonly call: Call;
  readonly number: number;
}

export function hasStrace(): boolean {
  return spawnSync('strace', ['-V']).status === 0;
}

/** An update, prepared so that it can be run again and again from the same state. */
export class KillBench {
  private readonly update: KilledUpdate;
  private readonly folder: AgentFolder;
  private readonly models: ReadonlyMap<number, string>;
  private readonly template: string;
  private readonly goal: Readonly<Record<string, unknown>>;

  private constructor(parts: {
    readonly update: KilledUpdate;
    readonly folder: AgentFolder;
    readonly models: ReadonlyMap<number, string>;
    readonly template: string;
    readonly goal: Readonly<Record<string, unknown>>;
  }) {
    this.update = parts.update;
    this.folder = parts.folder;
    this.models = parts.models;
    this.template = parts.template;
    this.goal = parts.goal;
  }

  static async open(update: KilledUpdate): Promise<KillBench> {
    const folder = await AgentFolder.make({ exchangeSeconds: 3600 });
    mkdirSync(folder.state);
    const models = new Map<number, string>();
    for (const factor of update.before) await install(folder, models, factor);
    const bench = { update, folder, models, template: mkdtempSync(join(tmpdir(), 'ew-state-')) };
    const goal = await prepare(bench);
    cpSync(folder.state, bench.template, { recursive: true });
    return new KillBench({ ...bench, goal });
  }

  /** Every call of the update, in one run of it that nothing disturbs. */
  async points(): Promise<KillPoint[]> {
    const trace = join(this.folder.path, 'trace');
    this.reset();
    const agent = this.start(['strace', '-D', '-f', '-o', trace, '-e', `trace=${CALLS.join(',')}`]);
    await this.finish(agent);
    const counts = new Map<Call, number>();
    const points: KillPoint[] = [];
    for (const [, name] of readFileSync(trace, 'utf8').matchAll(/^\d+ +(\w+)\(/gm)) {
      const call = name as Call;
      counts.set(call, (counts.get(call) ?? 0) + 1);
      points.push({ call, number: counts.get(call)! });
    }
    return points;
  }

  /** Kills the agent as it begins a call; then the old or the new model must run, and the update come to its end. */
  async killAt({ call, number }: KillPoint): Promise<void> {
    const label = `${this.update.name}, killed at ${call} ${number}`;
    this.reset();
    const inject = `inject=${call}:signal=SIGKILL:when=${number}`;
    const killed = this.start([
      'strace',
      '-D',
      '-f',
      '-o',
      '/dev/null',
      '-e',
      `trace=${CALLS.join(',')}`,
      '-e',
      inject,
    ]);
    await this.finish(killed).catch(() => undefined);
    await killed.end();
    const agent = this.start();
    const { model } = await agent.until({ event: 'serving' });
    const { before, to } = this.update;
    const allowed = [before.at(-1), to].flatMap((f) => (f === undefined ? [] : [this.models.get(f)]));
    if (before.length === 0) allowed.push(undefined);
    assert.ok(allowed.includes(model as string | undefined), `${label}: ${model} starts`);
    if (this.update.agent === 'installed') await this.finishAgent(agent);
    else await this.finish(agent, true);
  }

  async close(): Promise<void> {
    await this.folder.remove();
    rmSync(this.template, { recursive: true, force: true });
  }

  private start(before: readonly string[] = []): AgentProcess {
    return this.folder.start({ before, env: ONE_THREAD });
  }

  private reset(): void {
    rmSync(this.folder.state, { recursive: true, force: true });
    cpSync(this.template, this.folder.state, { recursive: true });
  }

  /** Lets an update come to its end, and the agent end. */
  private async finish(agent: AgentProcess, look = false, goal = this.goal): Promise<void> {
    await agent.until(goal);
    if (look) await this.look();
    await agent.stop();
  }

  /** An agent that is updated ends before it is the new one, unless it was killed after that was decided. */
  private async finishAgent(agent: AgentProcess): Promise<void> {
    const { event } = await agent.until(UPDATED, ENDED);
    await agent.stop();
    if (event === 'ended') await this.finish(this.start(), true, UPDATED);
  }

  /** The model answers, and is the one that should be there in the end. */
  private async look(): Promise<void> {
    const client = await connectModel(this.folder.socket);
    const { outputs } = await client.run(four(1));
    await client.close();
    assert.is(outputs.y!.data[0], this.update.ends, `${this.update.name}: in the end`);
  }
}

type Prepared = Pick<KillBenchParts, 'update' | 'folder' | 'models'>;
interface KillBenchParts {
  readonly update: KilledUpdate;
  readonly folder: AgentFolder;
  readonly models: Map<number, string>;
}

async function install(folder: AgentFolder, models: Map<number, string>, factor: number): Promise<void> {
  models.set(factor, await assign(folder, factor, models.size + 1));
  const agent = folder.start();
  await agent.until({ event: 'step', kind: 'model', why: 'what is assigned runs' });
  await agent.stop();
}

async function assign(folder: AgentFolder, factor: number, release: number): Promise<string> {
  return folder.depot.assign('model', await bundleOf(factor), { release }, 1024);
}

/** Assigns what the update is about; returns the line of the log that says that it has ended. */
async function prepare({ update, folder, models }: Prepared): Promise<Record<string, unknown>> {
  if (update.to !== undefined) {
    models.set(update.to, await assign(folder, update.to, models.size + 1));
    if (!update.unhealthy) return { event: 'step', kind: 'model', why: 'what is assigned runs' };
    folder.configure({ exchangeSeconds: 3600, health: { command: ['false'] } });
    return { event: 'step', kind: 'model', step: 'IDLE' };
  }
  const changed = new TextEncoder().encode(`${readFileSync(folder.file, 'utf8')}\n// Another one.\n`);
  folder.depot.assign('agent', changed, { release: 1 }, 16 << 10);
  if (update.agent === 'installed') return ENDED;
  const agent = folder.start();
  await agent.until({ event: 'ended', ended: 'restart' });
  await agent.end();
  return UPDATED;
}
