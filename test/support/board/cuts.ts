import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Rng } from '../../../sdk/util/rng.ts';
import type { LogLine } from '../log-lines.ts';
import { projectRoot } from '../shared.ts';
import { until } from '../until.ts';
import { CutDisk, type Loss } from './disk.ts';
import { BoardFleet } from './fleet.ts';
import { BoardMachine } from './machine.ts';
import { type BoardModel, BoardModels } from './models.ts';
import { type BoardSystem, makeFileSystem } from './system.ts';

/** What is updated when power goes, and how. */
export type UpdateKind = 'whole' | 'delta' | 'agent';

/** Of an update, by what the disk is told. */
export const STATES = ['FETCH', 'VERIFY', 'LOAD', 'GATE', 'SWAP', 'PROBATION', 'COMMIT'] as const;
export type CutState = (typeof STATES)[number];

export interface Cut {
  readonly update: UpdateKind;
  /** Power goes after the disk was told that this begins: after so many writes, or milliseconds, whichever comes first. */
  readonly state: CutState;
  readonly writes: number;
  readonly milliseconds: number;
  /** By which the machine ends: its processor is reset and the disk goes on, or it loses power and the disk its cache. */
  readonly loss: 'reset' | Loss;
}

export interface CutResult {
  readonly cut: Cut;
  /** The last that had begun. */
  readonly state: CutState;
  /** Bytes that the disk had and had not been told to keep. */
  readonly unflushed: number;
  /** What answered first afterwards. */
  readonly started: 'old' | 'new';
  /** Seconds: from power on until it answered, of that from the start of the agent, and until the update had ended. */
  readonly answered: number;
  readonly recovered: number;
  readonly ended: number;
}

/** An agent is on trial for long. */
const KINDS: readonly UpdateKind[] = ['whole', 'delta', 'agent', 'whole', 'delta'];

/** Cuts spread over kinds of updates, their states and ways to lose power. */
export function planCuts(count: number, seed: number): Cut[] {
  const rng = new Rng(seed);
  const losses = ['some', 'reset', 'lost', 'kept'] as const;
  const order = rng.permutation(STATES.length);
  return Array.from({ length: count }, (_, i) => ({
    update: KINDS[i % KINDS.length]!,
    state: STATES[order[i % STATES.length]!]!,
    writes: rng.below(16),
    milliseconds: rng.below(2500),
    loss: losses[i % losses.length]!,
  }));
}

const MEGABYTES = 64;

/** Milliseconds on trial: an agent has to reach its controller in that time, on an emulated processor. */
const PROBATION = { whole: 2000, delta: 2000, agent: 30_000 } as const;

/** Longest wait for an update, seconds: an emulated processor on a busy machine is slow. */
const PATIENCE = 240;

interface BenchParts {
  readonly folder: string;
  readonly system: BoardSystem;
  readonly fleet: BoardFleet;
  readonly models: BoardModels;
  readonly disk: CutDisk;
  readonly rng: Rng;
}

/** A virtual board with a model, whose power is cut in the middle of updates. */
export class CutBench {
  private readonly parts: BenchParts;
  /** What models answer, by their bundles. */
  private readonly outputs = new Map<string, string>();
  private readonly wrong: string[] = [];
  private machine: BoardMachine | undefined;
  private current: BoardModel | undefined;
  private agents = 0;

  private constructor(parts: BenchParts) {
    this.parts = parts;
  }

  static async open(system: BoardSystem, seed: number): Promise<CutBench> {
    const folder = mkdtempSync(join(tmpdir(), 'ew-board-'));
    const fleet = await BoardFleet.start();
    const files = join(folder, 'data');
    await fleet.equip(files);
    await build({
      entryPoints: [join(import.meta.dirname, 'application.ts')],
      absWorkingDir: projectRoot,
      outfile: join(files, 'application.mjs'),
      ...{ bundle: true, platform: 'node', format: 'esm', target: 'node20', logLevel: 'warning' },
    });
    const image = join(folder, 'data.img');
    makeFileSystem(files, image, MEGABYTES);
    const disk = new CutDisk(readFileSync(image));
    await disk.listen(join(folder, 'disk'));
    mkdirSync(join(folder, 'models'));
    const models = new BoardModels(join(folder, 'models'), seed);
    const bench = new CutBench({ folder, system, fleet, models, disk, rng: new Rng(seed) });
    await bench.first();
    return bench;
  }

  /** Installs the first model, with nothing going wrong. */
  private async first(): Promise<void> {
    const machine = this.powerOn();
    await machine.until({ event: 'connected' });
    const model = await this.newModel();
    await this.order(await this.parts.fleet.publishModel(model.path), 'whole');
    await this.committed();
    await machine.until({ event: 'answer', model: model.sha256 });
    this.current = model;
  }

  /** Cuts power in the middle of an update, and sees what comes of it. Throws where something is not as it must be. */
  async cut(cut: Cut): Promise<CutResult> {
    const before = this.current!;
    const after = cut.update === 'agent' ? before : await this.newModel();
    const target = await this.publish(cut.update, before, after);
    const gone = this.cutAt(cut, target);
    await this.order(target, cut.update);
    const { state, unflushed } = await gone;

    const machine = this.powerOn();
    const since = (): number => (performance.now() - machine.startedAt) / 1000;
    await machine.until({ event: 'agent-starts' });
    const agentStarted = since();
    const { model } = await machine.until(
      { event: 'answer', model: before.sha256 },
      { event: 'answer', model: after.sha256 },
    );
    const answered = since();
    await this.committed();
    const ended = since();
    await machine.until({ event: 'answer', model: after.sha256 });
    this.current = after;
    if (this.wrong.length > 0) throw new Error(this.wrong.join('\n'));
    const started = model === after.sha256 ? 'new' : 'old';
    return { cut, state, unflushed, started, answered, recovered: answered - agentStarted, ended };
  }

  async close(): Promise<void> {
    this.machine?.unplug();
    await this.machine?.end();
    await this.parts.disk.close();
    await this.parts.fleet.close();
    rmSync(this.parts.folder, { recursive: true, force: true });
  }

  private powerOn(): BoardMachine {
    const { system, folder, disk } = this.parts;
    disk.powerOn();
    this.machine = new BoardMachine({ system, folder, disk: join(folder, 'disk') }, (line) => this.judge(line));
    return this.machine;
  }

  /** Whatever is answered, whenever, must be what the model that answered gives. */
  private judge(line: LogLine): void {
    if (process.env.EIGEN_BOARD_LOG) console.log(JSON.stringify(line));
    const { event, model, output, damage } = line;
    if (event === 'answer' && this.outputs.get(String(model)) !== output)
      this.wrong.push(`${model} answered ${output}, not ${this.outputs.get(String(model))}`);
    if (event === 'booted' && damage !== 0) this.wrong.push(`the file system is damaged (${damage})`);
  }

  private async newModel(): Promise<BoardModel> {
    const model = await this.parts.models.next();
    this.outputs.set(model.sha256, model.output);
    return model;
  }

  private publish(update: UpdateKind, before: BoardModel, after: BoardModel): Promise<string> {
    const { fleet, folder } = this.parts;
    if (update === 'agent') return fleet.publishAgent(join(folder, 'data/agent.cjs'), ++this.agents);
    return fleet.publishModel(after.path, update === 'delta' ? before.path : undefined);
  }

  private async order(target: string, update: UpdateKind): Promise<void> {
    const { fleet } = this.parts;
    fleet.probation.milliseconds = PROBATION[update];
    await fleet.want(target);
  }

  /** Waits for the moment of a cut, and cuts as the disk is told of a write, or between two. */
  private cutAt(cut: Cut, target: string): Promise<Pick<CutResult, 'state' | 'unflushed'>> {
    const { disk } = this.parts;
    return new Promise((resolve, reject) => {
      let [reached, left] = [-1, cut.writes];
      let timer: NodeJS.Timeout | undefined;
      const now = (): void => {
        clearTimeout(timer);
        disk.onWrite = () => undefined;
        const state = STATES[reached]!;
        this.loseAll(cut).then((unflushed) => resolve({ state, unflushed }), reject);
      };
      disk.onWrite = (bytes) => {
        reached = Math.max(reached, stateIn(bytes, target));
        if (reached < STATES.indexOf(cut.state)) return;
        timer ??= setTimeout(now, cut.milliseconds);
        if (left-- === 0) now();
      };
    });
  }

  /** Ends the machine; returns how many bytes the disk had not been told to keep. */
  private async loseAll({ loss }: Cut): Promise<number> {
    const { disk, rng } = this.parts;
    const machine = this.machine!;
    const unflushed = loss === 'reset' ? undefined : disk.cut(loss, rng);
    if (loss === 'reset') machine.reset();
    else machine.unplug();
    await machine.end();
    return unflushed ?? disk.cut('kept', rng);
  }

  /** Waits until the controller has heard that what was ordered last is installed. */
  private committed(): Promise<void> {
    const state = () => this.parts.fleet.state();
    return until('the order is carried out', async () => (await state()) === 'committed', {
      saw: state,
      seconds: PATIENCE,
    });
  }
}

/** The last state of an update that a write tells of, by its place in STATES; -1 where it tells of none. */
function stateIn(bytes: Uint8Array, target: string): number {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  return text.includes(target) ? STATES.findLastIndex((state) => text.includes(wordsOf(state, target))) : -1;
}

/** By what the journal says that a step begins, or for a probation the pointer. */
function wordsOf(state: CutState, target: string): string {
  return state === 'PROBATION' ? '"trial":' : `"step":"${state}","sha256":"${target}"`;
}
