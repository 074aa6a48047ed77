import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { projectRoot } from './shared.ts';

/** The command line as a child process. */
export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Words that start the command line from the sources with any working folder: node, its flags, main.ts. */
export const CLI: readonly string[] = [
  process.execPath,
  '--import',
  join(projectRoot, 'node_modules/tsx/dist/loader.mjs'),
  join(projectRoot, 'sdk/cli/main.ts'),
];

/** Runs words as a process in a folder; 90 s at most. */
export function spawnIn(cwd: string, words: readonly string[]): CliResult {
  const [program, ...args] = words;
  return spawnSync(program!, args, { cwd, encoding: 'utf8', maxBuffer: 64 << 20, timeout: 90_000 });
}

/** Runs `eigenweights ARGS` in a folder. */
export function cli(cwd: string, ...args: string[]): CliResult {
  return spawnIn(cwd, [...CLI, ...args]);
}
