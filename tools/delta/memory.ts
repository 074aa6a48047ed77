import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What applying takes at most, bytes. */
export interface DeltaMemory {
  /** Of objects that are in use. */
  readonly used: number;
  /** By which a process of Node grows, with what is not collected yet. */
  readonly grown: number;
}

export async function memoryOfApplying(old: string, delta: string, out: string): Promise<DeltaMemory> {
  const child = fileURLToPath(new URL('./apply-child.ts', import.meta.url));
  const words = ['--expose-gc', '--import', import.meta.resolve('tsx'), child, old, delta, out];
  const { stdout } = await promisify(execFile)(process.execPath, words);
  return JSON.parse(stdout) as DeltaMemory;
}

/** What a program takes at most, bytes, by GNU time; undefined where either is not installed. */
export function memoryOf(command: string, args: readonly string[]): number | undefined {
  const done = spawnSync('/usr/bin/time', ['-f', '%M', command, ...args], { encoding: 'utf8' });
  const kilobytes = Number(done.stderr?.trim().split('\n').at(-1));
  return done.status === 0 && kilobytes > 0 ? 1024 * kilobytes : undefined;
}
