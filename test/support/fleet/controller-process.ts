import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { CLI } from '../cli-process.ts';

/** `eigenweights serve` as a process. */
export class ControllerProcess {
  readonly url: string;
  private readonly child: ChildProcess;
  private readonly ended: Promise<number | null>;

  private constructor(child: ChildProcess, ended: Promise<number | null>, url: string) {
    this.child = child;
    this.ended = ended;
    this.url = url;
  }

  /** Returns when its log says that it works; throws with its log when it ends before. */
  static async start(args: readonly string[]): Promise<ControllerProcess> {
    const [program, ...words] = CLI;
    const child = spawn(program!, [...words, 'serve', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const log: string[] = [];
    for await (const line of createInterface({ input: child.stderr! })) {
      log.push(line);
      const entry: { event?: string; url?: string } = line.startsWith('{') ? JSON.parse(line) : {};
      if (entry.event !== 'started') continue;
      // Nobody reads the rest, and nothing is to wait for that.
      child.stderr!.resume();
      return new ControllerProcess(child, ended, entry.url!);
    }
    throw new Error(`the controller did not start:\n${log.join('\n')}`);
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Ends it; the exit code. */
  stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number | null> {
    this.child.kill(signal);
    return this.ended;
  }
}
