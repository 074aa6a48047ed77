import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { type FileReport, reportOf, timeoutOf } from './uvu-report.ts';

export interface FileRun extends FileReport {
  readonly file: string;
  readonly seconds: number;
  readonly output: string;
}

const DEFAULT_TIMEOUT_S = 60;
/** Enough for any diff; a runaway log must not fill the memory of the runner. */
const MAX_OUTPUT_CHARS = 4_000_000;

/** Seconds that a test file may take. */
export async function limitOf(file: string): Promise<number> {
  return timeoutOf(await readFile(file, 'utf8'), DEFAULT_TIMEOUT_S);
}

/** Runs one test file in a process of its own and reports what it did. The process group ends with it. */
export async function runTestFile(file: string, cwd: string, env: NodeJS.ProcessEnv = {}): Promise<FileRun> {
  const limit = await limitOf(file);
  const started = performance.now();
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
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
  const report = reportOf({ output, exitCode, timedOut });
  const problem = timedOut ? `timed out after ${limit} s` : report.problem;
  return { ...report, ...(problem ? { problem } : {}), file, seconds: (performance.now() - started) / 1000, output };
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone already.
  }
}
