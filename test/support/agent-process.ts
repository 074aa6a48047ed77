import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAgent } from '../../tools/lib/agent-file.ts';
import { DepotFolder } from './depot.ts';
import { type LogLine, LogLines } from './log-lines.ts';
import { within } from './until.ts';

/** Longest wait for a line of the log, milliseconds: a machine under load is slow. */
const PATIENCE = 60_000;
/** Longest end, seconds. */
const END = 60;

/** The agent as a process. */
export class AgentProcess {
  readonly child: ChildProcess;
  stderr = '';
  private readonly log = new LogLines((line) => JSON.parse(line) as LogLine);
  private readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  private read = 0;

  constructor(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const [program, ...args] = words;
    this.child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => this.log.push(chunk));
    this.child.stderr!.setEncoding('utf8').on('data', (chunk: string) => {
      this.stderr += chunk;
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        resolve({ code, signal });
        this.log.end();
      });
    });
  }

  get lines(): readonly LogLine[] {
    return this.log.lines;
  }

  /** The next line, after those that were waited for, that has the fields of one of these. */
  async until(...wanted: readonly Readonly<Record<string, unknown>>[]): Promise<LogLine> {
    const at = await this.log.find(this.read, wanted, PATIENCE, () => this.stderr);
    this.read = at + 1;
    return this.lines[at]!;
  }

  /** Makes it look at what is assigned. */
  exchange(): void {
    this.child.kill('SIGHUP');
  }

  /** Ends it; returns its exit code. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return within(`the agent ends, after ${JSON.stringify(this.lines.slice(-8))}`, this.end(), END);
  }

  /** Waits for its end, however long it works. */
  async end(): Promise<number | null> {
    return (await this.ended).code;
  }
}

interface StartOptions {
  readonly before?: readonly string[];
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** A folder with an agent in one file, its configuration, state and depot. */
export class AgentFolder {
  readonly path = mkdtempSync(join(tmpdir(), 'ew-agent-'));
  readonly file = join(this.path, 'agent.cjs');
  readonly config = join(this.path, 'agent.json');
  readonly socket = join(this.path, 'agent.sock');
  readonly depot = new DepotFolder(join(this.path, 'depot'));
  private readonly running = new Set<AgentProcess>();

  static async make(change: object = {}): Promise<AgentFolder> {
    const folder = new AgentFolder();
    await buildAgent(folder.file);
    folder.configure(change);
    return folder;
  }

  /** Writes the configuration. */
  configure(change: object): void {
    const config = {
      device: 'device',
      board: 'board',
      state: 'state',
      socket: 'agent.sock',
      folder: 'depot',
      ...change,
    };
    writeFileSync(this.config, JSON.stringify(config));
  }

  get state(): string {
    return join(this.path, 'state');
  }

  get words(): string[] {
    return [process.execPath, this.file, '--config', this.config];
  }

  /** @param before words before the agent's words: strace, ... */
  start({ before = [], flags = [], env = {} }: StartOptions = {}): AgentProcess {
    const words = [...before, ...this.words, ...flags];
    const agent = new AgentProcess(words, { EIGEN_CACHE: join(this.path, 'cache'), ...env });
    this.running.add(agent);
    void agent.end().then(() => this.running.delete(agent));
    return agent;
  }

  async remove(): Promise<void> {
    await Promise.all([...this.running].map((agent) => agent.stop('SIGKILL')));
    rmSync(this.path, { recursive: true, force: true });
  }
}
