import { EigenError, isEigenError } from '../../util/errors.ts';
import { type Assignment, assignmentProblem } from '../../wire/assignment.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { codeOf } from '../fs/whole-files.ts';
import { type Recovered, type SlotContent, Slots } from '../store/slots.ts';
import { Fetcher, type PieceSource } from './fetch.ts';
import { passGate, Shadow } from './gate.ts';
import { ModelHost } from './host.ts';
import { type Failure, Ledger, type Outcome } from './ledger.ts';
import type { LoadedModel, ModelLoader } from './model.ts';
import { type DeviceState, type InstallStep, type Progress, plan, type Step, type StepName } from './planner.ts';

/** What an agent works with. */
export interface AgentParts {
  readonly device: string;
  readonly board: string;
  readonly fs: DeviceFileSystem;
  /** Where in the state folder the slots and the journal are; those of models where it is absent. */
  readonly store?: { readonly slots: string; readonly journal: string };
  readonly loader: ModelLoader;
  readonly source: PieceSource;
  /** Most bytes that may be fetched where a delta was offered and has failed; no limit where it is absent. */
  readonly fallbackBytes?: number;
  /** Milliseconds: since 1970, and of a clock that nobody sets. */
  readonly clock: { now(): number; monotonic(): number };
  /** Why this is no time for an update (a window, power, temperature); undefined when it is. */
  conditions(): Promise<string | undefined>;
  /** What the device finds wrong with itself since the model changed; undefined when nothing. Where it throws, that is wrong. */
  health(trial: TrialTime): Promise<string | undefined>;
  /** Hears of a step of an installation as it begins. */
  begun?(step: InstallStep): void;
  /** Tells how an update ended. */
  report(outcome: Outcome): Promise<void>;
}

/** Milliseconds that something is on probation, and that it is to be. */
export interface TrialTime {
  readonly milliseconds: number;
  readonly of: number;
}

/** What became of a step: `waiting` when it is to be taken again, for time or the device to be ready. */
export interface Taken {
  readonly step: Step;
  readonly ended: 'done' | 'waiting' | 'failed';
  readonly reason?: string;
}

/** Between two looks at whether conditions are met, and reports that were not taken, milliseconds. */
const LOOK_AGAIN = 60_000;

interface Candidate {
  readonly sha256: string;
  readonly release: number;
  readonly begun: Set<InstallStep>;
  readonly done: Set<InstallStep>;
  model?: LoadedModel;
  shadow?: Shadow;
  /** Until when by the clock that nobody sets. */
  waiting?: { readonly until: number; readonly why: string };
}

/**
 * Brings a device from the model it has to the one it is assigned, a step at a time, by what `plan` says. What runs goes on running
 * whatever fails on the way, and a start after a power cut at any moment finds it or the new one, whole. Steps are taken one after
 * another: nothing else may change the state folder.
 */
export class Agent {
  readonly host = new ModelHost();
  private readonly parts: AgentParts;
  private readonly slots: Slots;
  private readonly ledger: Ledger;
  private readonly fetcher: Fetcher;
  private candidate: Candidate | undefined;
  /** What was installed when the agent started, the best first. */
  private choices: readonly SlotContent[] = [];
  private trialFrom: number;
  /** By the clock that nobody sets. */
  private reportFrom = Number.NEGATIVE_INFINITY;

  private constructor(parts: AgentParts, slots: Slots, ledger: Ledger) {
    this.parts = parts;
    this.slots = slots;
    this.ledger = ledger;
    this.fetcher = new Fetcher(slots.blobs, parts.source, {
      notes: ledger,
      ...(parts.fallbackBytes === undefined ? {} : { fallbackBytes: parts.fallbackBytes }),
    });
    this.trialFrom = parts.clock.monotonic();
  }

  /**
   * Starts the model that is installed. Needs nothing but to read: a network, a valid assignment or a writable medium are for updates.
   * @param recovered what was found, where somebody else had to look before.
   */
  static async start(parts: AgentParts, recovered?: Pick<Recovered, 'content'>): Promise<Agent> {
    const { slots: folder, journal } = parts.store ?? { slots: 'models', journal: 'journal' };
    const slots = await Slots.open(parts.fs, folder);
    const agent = new Agent(parts, slots, await Ledger.open(parts.fs, journal));
    const { content } = recovered ?? (await slots.recover());
    const fallBack = recovered ? [] : [slots.active, slots.previous];
    agent.choices = [content, ...fallBack].filter((c) => c !== undefined);
    await agent.serveAny();
    await agent.rememberRejected();
    return agent;
  }

  /** Takes the next step towards what is assigned. Does not throw: what fails is in the result, and in the next plan. */
  async step(assignment: Assignment | undefined): Promise<Taken> {
    // A model that could not be read or started is tried again: storage may come back.
    if (this.host.serving === undefined) await this.serveAny();
    const [step] = await this.plan(assignment);
    try {
      const waits = await this.take(step!);
      return waits === undefined ? { step: step!, ended: 'done' } : { step: step!, ended: 'waiting', reason: waits };
    } catch (e) {
      // Somebody wants to stop, or to look at what is assigned: nothing is wrong.
      if (isInterruption(e)) return { step: step!, ended: 'waiting', reason: 'interrupted' };
      await this.failed(step!, e);
      return { step: step!, ended: 'failed', reason: reasonOf(e) };
    }
  }

  /** Takes steps until one has to wait, fails, or there are none. */
  async advance(assignment: Assignment | undefined): Promise<Taken[]> {
    const all: Taken[] = [];
    for (;;) {
      const taken = await this.step(assignment);
      all.push(taken);
      if (taken.ended !== 'done' || taken.step.name === 'IDLE') return all;
    }
  }

  /** The steps from here to what is assigned. */
  async plan(assignment: Assignment | undefined): Promise<Step[]> {
    if (assignment && this.candidate && !isFor(this.candidate, assignment)) this.drop();
    return plan(assignment, await this.state(assignment), this.parts.clock.now());
  }

  private async state(assignment: Assignment | undefined): Promise<DeviceState> {
    const { slots, ledger, host, parts, candidate } = this;
    const milliseconds = parts.clock.monotonic() - this.trialFrom;
    const of = slots.state.trial?.milliseconds;
    const unhealthy =
      of === undefined ? undefined : (host.problem ?? (await parts.health({ milliseconds, of }).catch(reasonOf)));
    const trial = { milliseconds, ...(unhealthy === undefined ? {} : { unhealthy }) };
    const failure = assignment && ledger.failureOf(assignment.blob.sha256);
    return {
      device: parts.device,
      slots: slots.state,
      ...(host.serving === undefined ? {} : { serving: host.serving }),
      ...(slots.state.trial ? { trial } : {}),
      ...(failure ? { failure } : {}),
      reportDue: ledger.unreported !== undefined && parts.clock.monotonic() >= this.reportFrom,
      ...(candidate ? { progress: progressOf(candidate, parts.clock.monotonic()) } : {}),
    };
  }

  /** Takes a step; returns what it waits for, if it is not done. */
  private async take(step: Step): Promise<string | undefined> {
    switch (step.name) {
      case 'IDLE':
        // What was begun is not to be gone on with: withdrawn, expired.
        if (step.until === undefined) this.drop();
        return undefined;
      case 'PROBATION':
        return `${step.milliseconds} ms of probation are left`;
      case 'COMMIT':
        return this.commit();
      case 'ROLLBACK':
        return this.rollBack(step.why);
      case 'REPORT':
        await this.parts.report(this.ledger.unreported!);
        await this.ledger.reported();
        return undefined;
      default: {
        const { blob, release } = step.assignment;
        this.candidate ??= { sha256: blob.sha256, release, begun: new Set(), done: new Set() };
        const { candidate } = this;
        if (!candidate.begun.has(step.name)) {
          this.parts.begun?.(step.name);
          await this.ledger.begin(step.name, blob.sha256, this.parts.clock.now());
        }
        candidate.begun.add(step.name);
        const waits = await this.install(step.name, step.assignment, candidate);
        if (waits === undefined) candidate.done.add(step.name);
        return waits;
      }
    }
  }

  private async install(name: InstallStep, assignment: Assignment, candidate: Candidate): Promise<string | undefined> {
    const { slots, parts, host } = this;
    const { blob, limits } = assignment;
    switch (name) {
      case 'CHECK': {
        const problem = assignmentProblem(assignment, parts.board, slots.active?.release);
        if (problem === undefined) return undefined;
        throw new EigenError('EW7004_UPDATE_REFUSED', `release ${assignment.release} is refused: ${problem}`);
      }
      case 'PREFLIGHT': {
        const why = await parts.conditions();
        if (why !== undefined) candidate.waiting = { until: parts.clock.monotonic() + LOOK_AGAIN, why };
        else
          await slots.reserve(
            blob,
            host.serving,
            (assignment.deltas ?? []).map((d) => d.blob.sha256),
          );
        return why;
      }
      case 'FETCH':
        await this.fetcher.fetch({ blob, deltas: assignment.deltas ?? [], held: this.installed });
        return undefined;
      case 'VERIFY':
        await slots.blobs.accept(blob);
        return undefined;
      case 'LOAD':
        candidate.model = await parts.loader.load(await slots.blobs.read(blob.sha256));
        return undefined;
      case 'GATE':
        await passGate(candidate.model!, limits);
        return undefined;
      case 'SHADOW':
        candidate.shadow ??= new Shadow(candidate.model!, assignment.shadowInputs);
        host.shadowWith(candidate.shadow);
        return candidate.shadow.passed(limits) ? undefined : 'live inputs are awaited';
      case 'SWAP':
        await this.swap(assignment, candidate.model!);
        return undefined;
    }
  }

  /** Blobs that are whole as far as is known, what is used first. */
  get installed(): string[] {
    const { active, previous } = this.slots;
    return [active, previous].flatMap((content) => content?.sha256 ?? []);
  }

  /** The pointer first: what is not written does not run. */
  private async swap({ blob, release, probation }: Assignment, model: LoadedModel): Promise<void> {
    await this.slots.swap({ sha256: blob.sha256, bytes: blob.bytes, release }, probation, this.host.serving);
    this.host.swap({ sha256: blob.sha256, model });
    this.trialFrom = this.parts.clock.monotonic();
    this.candidate = undefined;
  }

  private async commit(): Promise<undefined> {
    const { sha256, release } = this.slots.active!;
    await this.ledger.begin('COMMIT', sha256, this.parts.clock.now());
    await this.slots.commit();
    await this.ledger.commit(sha256, release, this.parts.clock.now()).catch(() => undefined);
    // What stays behind goes before the next download.
    await this.slots.collect().catch(() => undefined);
  }

  private async rollBack(why: string): Promise<undefined> {
    const { previous, active } = this.slots;
    await this.ledger.begin('ROLLBACK', active!.sha256, this.parts.clock.now()).catch(() => undefined);
    const served = previous?.sha256 === this.host.serving;
    const model = previous && !served ? await this.load(previous) : undefined;
    try {
      await this.slots.rollBack(why);
    } catch (e) {
      model?.close();
      throw e;
    }
    if (!served) this.host.swap(previous && model && { sha256: previous.sha256, model });
    this.choices = previous ? [previous] : [];
    await this.rememberRejected();
  }

  /** What the last rollback went back from is not tried again. The pointer knows it even where the journal could not be written. */
  private async rememberRejected(): Promise<void> {
    const { rejected } = this.slots.state;
    if (!rejected) return;
    const { content, reason } = rejected;
    const known = this.ledger.failureOf(content.sha256);
    if (known?.poisoned && known.release >= content.release) return;
    await this.fail(content, 'PROBATION', { code: '', reason, poisoned: true });
  }

  private async failed(step: Step, e: unknown): Promise<void> {
    if (step.name === 'REPORT') this.reportFrom = this.parts.clock.monotonic() + LOOK_AGAIN;
    if (!('assignment' in step)) return;
    this.drop();
    const { blob, release } = step.assignment;
    const attack = isEigenError(e) && typeof e.details.attack === 'string' ? { attack: e.details.attack } : {};
    const error = { code: codeOf(e), reason: reasonOf(e), poisoned: isPermanent(step.name, e), ...attack };
    await this.fail({ sha256: blob.sha256, release }, step.name, error);
  }

  private async fail(
    { sha256, release }: Pick<SlotContent, 'sha256' | 'release'>,
    step: StepName,
    error: Pick<Failure, 'code' | 'reason' | 'attack' | 'poisoned'>,
  ): Promise<void> {
    await this.ledger.fail({ sha256, release, at: this.parts.clock.now(), step, ...error });
  }

  private drop(): void {
    this.host.shadowWith(undefined);
    this.candidate?.model?.close();
    this.candidate = undefined;
  }

  /** Starts the first model of those that were installed that can be started. */
  private async serveAny(): Promise<void> {
    for (const { sha256 } of this.choices) {
      const model = await this.load({ sha256 }).catch(() => undefined);
      if (!model) continue;
      this.host.swap({ sha256, model });
      return;
    }
  }

  private async load({ sha256 }: Pick<SlotContent, 'sha256'>): Promise<LoadedModel> {
    return this.parts.loader.load(await this.slots.blobs.read(sha256));
  }
}

function isFor({ sha256, release }: Candidate, assignment: Assignment): boolean {
  return sha256 === assignment.blob.sha256 && release === assignment.release;
}

function progressOf({ sha256, release, done, waiting }: Candidate, monotonic: number): Progress {
  const milliseconds = (waiting?.until ?? 0) - monotonic;
  return {
    sha256,
    release,
    done,
    ...(waiting && milliseconds > 0 ? { waiting: { milliseconds, why: waiting.why } } : {}),
  };
}

/** Steps whose failures are a bundle's or an assignment's own. */
const JUDGING: ReadonlySet<StepName> = new Set(['CHECK', 'LOAD', 'GATE', 'SHADOW']);

/** Whether the next attempt would fail the same way. A blob that cannot be read is the storage's fault, not the bundle's. */
function isPermanent(step: StepName, e: unknown): boolean {
  return JUDGING.has(step) && isEigenError(e) && e.code !== 'EW7001_STORE_DAMAGED';
}

function isInterruption(e: unknown): boolean {
  return e instanceof Error && e.name === 'AbortError';
}

function reasonOf(e: unknown): string {
  return e instanceof Error ? e.message : String(e);
}
