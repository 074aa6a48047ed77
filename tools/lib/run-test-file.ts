import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FileReport, outputsByFile, type ProcessEnd, reportOf, timeoutOf } from './uvu-report.ts';

export interface FileRun extends FileReport {
  readonly file: string;
  readonly seconds: number;
  readonly output: string;
}

const DEFAULT_TIMEOUT_S = 60;
/** Of a process that several files share: the slowest dozen has been seen to take 30 s. */
const SHARED_TIMEOUT_S = 180;
/** Enough for any diff; a runaway log must not fill the memory of the runner. */
const MAX_OUTPUT_CHARS = 4_000_000;

/** What of a process files that share one would share: those that touch it have one each. */
const TOUCHES_PROCESS = /\bprocess\.(env|exit|chdir|on|once|kill|cwd|argv|stdout|stderr)\b|\bsetFlags|\bglobalThis\b/;

/** Whether a test file may share a process with others: it is short and leaves the process alone. */
export async function mayShare(file: string): Promise<boolean> {
  const source = await readFile(file, 'utf8');
  return timeoutOf(source, 0) === 0 && !TOUCHES_PROCESS.test(source);
}

/** Seconds that a test file may take. */
export async function limitOf(file: string): Promise<number> {
  return timeoutOf(await readFile(file, 'utf8'), DEFAULT_TIMEOUT_S);
}

/** Runs one test file in a process of its own and reports what it did. The process group ends with it. */
export async function runTestFile(file: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<FileRun> {
  const limit = await limitOf(file);
  const { seconds, ...end } = await runProcess([file], limit, cwd, env);
  const report = reportOf(end);
  const problem = end.timedOut ? `timed out after ${limit} s` : report.problem;
  return { ...report, ...(problem ? { problem } : {}), file, seconds, output: end.output };
}

/**
 * Runs test files one after another in one process (together.ts) and reports those that passed; the others are to be run again, each by
 * itself, as are all of them where the process has not ended well.
 */
export async function runTestFiles(
  files: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<FileRun[]> {
  const { seconds, ...end } = await runProcess([TOGETHER, ...files], SHARED_TIMEOUT_S, cwd, env);
  if (end.timedOut || end.exitCode !== 0) return [];
  return [...outputsByFile(end.output)].flatMap(([file, output]) => {
    const report = reportOf({ output, exitCode: 0, timedOut: false });
    return report.failed > 0 ? [] : [{ ...report, file, seconds: seconds / files.length, output }];
  });
}

const TOGETHER = join(import.meta.dirname, 'together.ts');

/** A process of test files; its group ends with it. */
async function runProcess(
  args: readonly string[],
  limit: number,
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ProcessEnd & { readonly seconds: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', ...args], {
    cwd,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, EIGEN_VERIFY: '1', NO_COLOR: '1', FORCE_COLOR: '0', ...env },
  });
  let output = '';
  const keep = (chunk: string): void => {
    if (output.length < MAX_OUTPUT_CHARS) output += chunk;
  };
  child.stdout.setEncoding('utf8').on('data', keep);
  child.stderr.setEncoding('utf8').on('data', keep);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    killGroup(child.pid);
  }, limit * 1000);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  clearTimeout(timer);
  killGroup(child.pid);
  return { output, exitCode, timedOut, seconds: (performance.now() - started) / 1000 };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}
