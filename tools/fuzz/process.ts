import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FuzzReport } from '../../test/support/fuzz/target.ts';

/** An input that takes longer hangs, milliseconds. */
const PATIENCE = 10_000;
/** For the process to begin with its first input. */
const START_PATIENCE = 120_000;

/** What the process of a target tells: how far it has come, and how it ended. */
export type Told = { readonly input: number } | { readonly report: FuzzReport } | { readonly wrong: string };

/**
 * Tries inputs on a target in a process of its own, which is ended where it hangs.
 * @throws Error naming the target and the input that went wrong.
 */
export function runFuzz(name: string, [from, to]: readonly [number, number]): Promise<FuzzReport> {
  const child = fileURLToPath(new URL('./child.ts', import.meta.url));
  const words = ['--import', import.meta.resolve('tsx'), child, name, String(from), String(to)];
  const process_ = spawn(process.execPath, words, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  return new Promise((resolve, reject) => {
    let last: number | undefined;
    let timer: NodeJS.Timeout | undefined;
    const watch = (patience: number): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        process_.kill('SIGKILL');
        const place = last === undefined ? 'before its first input' : `soon after input ${last}`;
        reject(new Error(`${name} hangs ${place}`));
      }, patience);
    };
    watch(START_PATIENCE);
    process_.on('message', (told: Told) => {
      if ('input' in told) {
        last = told.input;
        watch(PATIENCE);
        return;
      }
      clearTimeout(timer);
      if ('report' in told) resolve(told.report);
      else reject(new Error(told.wrong));
    });
    process_.on('exit', (code, signal) => {
      clearTimeout(timer);
      reject(new Error(`${name} ended the process: ${signal ?? code}, soon after input ${last}`));
    });
  });
}
