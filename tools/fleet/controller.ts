import { type ChildProcess, spawn } from 'node:child_process';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

/** A controller as people run one: `eigenweights serve` of dist/, in a process of its own. */
export interface BenchController {
  readonly process: ChildProcess;
  /** Of its broker. */
  readonly port: number;
  /** What it warned of, by event, and how often. */
  readonly problems: ReadonlyMap<string, number>;
}

interface Line {
  readonly level: string;
  readonly event: string;
  readonly broker?: string;
}

export async function startController(folder: string, namespace: string): Promise<BenchController> {
  const main = resolve(import.meta.dirname, '../../dist/sdk/cli/main.js');
  const ports = ['--port', '0', '--mqtt-port', '0'];
  const child = spawn(process.execPath, [main, 'serve', '--data', folder, '--namespace', namespace, ...ports], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const problems = new Map<string, number>();
  const port = await new Promise<number>((started, failed) => {
    child.once('exit', () => failed(new Error('the controller ended; see above, and npm run build')));
    createInterface(child.stderr!).on('line', (text) => {
      const line = parsed(text);
      if (line?.event === 'started') started(Number(new URL(line.broker!).port));
      if (line?.level === 'warn') problems.set(line.event, (problems.get(line.event) ?? 0) + 1);
      if (line === undefined || line.level === 'error') console.error(text);
    });
  });
  return { process: child, port, problems };
}

/** A line of the log; undefined for anything else. */
function parsed(text: string): Line | undefined {
  return text.startsWith('{') ? (JSON.parse(text) as Line) : undefined;
}
