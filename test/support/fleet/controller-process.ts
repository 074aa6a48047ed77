import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CLI } from '../cli-process.ts';
import { within } from '../until.ts';

/** Longest start and longest end, seconds: a machine under load takes its time to load the program. */
const START = 120;
const END = 60;

/** `eigenweights serve` as a process. */
export class ControllerProcess {
  /** What it logged. */
  readonly log: string[] = [];
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;
  private address = '';

  private constructor(child: ChildProcess) {
    this.child = child;
    this.ended = new Promise((resolve) => child.once('exit', resolve));
  }

  /** Returns when its log says that it works; throws with its log when it ends before, or takes too long. */
  static async start(args: readonly string[]): Promise<ControllerProcess> {
    const [program, ...words] = CLI;
    const child = spawn(program!, [...words, 'serve', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const controller = new ControllerProcess(child);
    try {
      await within('the controller starts', controller.started(), START);
      return controller;
    } catch (e) {
      child.kill('SIGKILL');
      throw new Error(`${(e as Error).message}:\n${controller.log.join('\n')}`);
    }
  }

  get url(): string {
    return this.address;
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Ends it; the exit code. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return within('the controller ends', this.ended, END).catch((e: Error) => {
      this.child.kill('SIGKILL');
      throw new Error(`${e.message}:\n${this.log.join('\n')}`);
    });
  }

  private started(): Promise<void> {
    return new Promise((resolve, reject) => {
      createInterface({ input: this.child.stderr! }).on('line', (line) => {
        this.log.push(line);
        const entry: { event?: string; url?: string } = line.startsWith('{') ? JSON.parse(line) : {};
        if (entry.event !== 'started') return;
        this.address = entry.url!;
        resolve();
      });
      this.child.once('close', () => reject(new Error('the controller did not start')));
    });
  }
}
