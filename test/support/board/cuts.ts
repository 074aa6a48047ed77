import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { Rng } from '../../../sdk/util/rng.ts';
import type { LogLine } from '../log-lines.ts';
import { projectRoot } from '../shared.ts';
import { until, within } from '../until.ts';
import { type Cut, type CutResult, type CutState, STATES, type UpdateKind } from './cut-plan.ts';
import { CutDisk } from './disk.ts';
import { BoardFleet } from './fleet.ts';
import { BoardMachine } from './machine.ts';
import { type BoardModel, BoardModels } from './models.ts';
import { type BoardSystem, makeFileSystem } from './system.ts';

const MEGABYTES = 64;

/** Milliseconds on trial: an agent has to reach its controller in that time, on an emulated processor. */
const PROBATION = { whole: 2000, delta: 2000, agent: 45_000 } as const;

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
  /** What the models answer that may run now, by their bundles. */
  private outputs = new Map<string, string>();
  private readonly wrong: string[] = [];
  private machine: BoardMachine | undefined;
  private current: BoardModel | undefined;
  /** The one in the slots that is used. */
  private agent: string | undefined;
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
    try {
      await bench.first();
    } catch (e) {
      await bench.close();
      throw e;
    }
    return bench;
  }

  /** Installs the first model, with nothing going wrong. */
  private async first(): Promise<void> {
    const machine = this.powerOn();
    await machine.until({ event: 'connected' });
    const model = await this.parts.models.next();
    this.allow(model);
    await this.order(await this.parts.fleet.publishModel(model.path), 'whole');
    await this.committed(model.sha256);
    await machine.until({ event: 'answer', model: model.sha256 });
    this.current = model;
  }

  /** Cuts power in the middle of an update, and sees what comes of it. Throws where something is not as it must be. */
  async cut(cut: Cut): Promise<CutResult> {
    const before = this.current!;
    const after = cut.update === 'agent' ? before : await this.parts.models.next();
    this.allow(before, after);
    const target = await this.publish(cut.update, before, after);
    const gone = within('the moment of the cut', this.cutAt(cut, target), PATIENCE);
    await this.order(target, cut.update);
    const lost = await gone;
    const { model, agent, ...found } = await this.recover(target, after);

    const [first, old] = cut.update === 'agent' ? [agent, this.agent] : [model, before.sha256];
    const started = first === old ? 'old' : 'new';
    if (started === 'new' && first !== target) this.wrong.push(`${first} started, not ${old} or ${target}`);
    if (cut.update === 'agent') await this.machine!.until({ event: 'started', agent: target });
    if (started === 'old' && lost.state !== 'FETCH' && found.fetched > 0)
      this.wrong.push(`${found.fetched} bytes were fetched again after ${lost.state} had begun`);
    if (this.wrong.length > 0) throw new Error(`${JSON.stringify(cut)}: ${this.wrong.join('; ')}`);
    this.current = after;
    if (cut.update === 'agent') this.agent = target;
    return { cut, started, ...lost, ...found };
  }

  /** Power comes back; returns when the update has ended, with what started first. */
  private async recover(target: string, after: BoardModel) {
    const reported = (await this.parts.fleet.told()).state === 'committed';
    const machine = this.powerOn();
    const since = (): number => (performance.now() - machine.startedAt) / 1000;
    await machine.until({ event: 'agent-starts' });
    const agentStarted = since();
    const { agent } = await machine.until({ event: 'started' });
    const { model } = await machine.until({ event: 'answer' });
    const answered = since();
    const fetched = reported ? 0 : await this.committed(target);
    const ended = since();
    await machine.until({ event: 'answer', model: after.sha256 });
    return { agent, model, fetched, answered, recovered: answered - agentStarted, ended };
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

  /** From now on these models may run, and no others. */
  private allow(...models: readonly BoardModel[]): void {
    this.outputs = new Map(models.map((model) => [model.sha256, model.output]));
  }

  /** Whatever is answered, whenever, must be what the model that answered gives. */
  private judge({ event, model, output, damage }: LogLine): void {
    if (event === 'answer' && this.outputs.get(String(model)) !== output)
      this.wrong.push(`${model} answered ${output}, not ${this.outputs.get(String(model))}`);
    if (event === 'booted' && damage !== 0) this.wrong.push(`the file system is damaged (${damage})`);
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
      let reached = -1;
      let left = 'writes' in cut.after ? cut.after.writes : Number.POSITIVE_INFINITY;
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
        if ('milliseconds' in cut.after) timer ??= setTimeout(now, cut.after.milliseconds);
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

  /** Waits until the device has installed something and the controller has heard so; gives the bytes that it says to have fetched for it. */
  private async committed(target: string): Promise<number> {
    await this.machine!.until({ event: 'committed', sha256: target });
    const told = () => this.parts.fleet.told();
    await until('the controller hears it', async () => (await told()).state === 'committed', { saw: told });
    return (await told()).received;
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
