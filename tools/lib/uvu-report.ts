/** What one test file's process printed, as counts. */
export interface FileCounts {
  readonly passed: number;
  readonly failed: number;
  readonly skips: readonly NamedSkip[];
}

export interface NamedSkip {
  readonly name: string;
  readonly reason: string;
  /** The platform cannot run it, whatever is installed. */
  readonly unsupported: boolean;
}

export interface ProcessEnd {
  readonly output: string;
  /** null when a signal ended the process. */
  readonly exitCode: number | null;
  readonly timedOut: boolean;
}

/** Counts, and when the file failed as a whole (died, timed out, ran nothing) the reason in words. */
export interface FileReport extends FileCounts {
  readonly problem?: string;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal colours start with the escape character.
const ANSI = /\u001b\[[0-9;]*m/g;
const SUMMARY = /^\s*Total:\s+(\d+)\s*\n\s*Passed:\s+(\d+)\s*\n\s*Skipped:\s+(\d+)/gm;
const SKIP = /# skip (.+?): (.+?)( \[unsupported\])?\s*$/gm;

const FAILURE = /^\s*FAIL\s/m;
/** uvu takes `details` of an error for text; its own error over that is lost, and with it that of the test. EigenError has an object there. */
const SILENT =
  'a test threw an error that uvu cannot print, and those after it did not run: catch it in that test to see it';

/** Begins the line that names a file whose output follows, where one process runs several (together.ts). */
export const FILE_MARK = '# file ';

/** The output of each file of such a process. */
export function outputsByFile(output: string): Map<string, string> {
  const parts = output.split(new RegExp(`^${FILE_MARK}`, 'm')).slice(1);
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n');
      return [part.slice(0, end), part.slice(end + 1)];
    }),
  );
}

/** Reads uvu's summary and the lines of sdk/testing/skip.ts out of a test process's output. */
export function reportOf(end: ProcessEnd): FileReport {
  const text = end.output.replace(ANSI, '');
  const skips = [...text.matchAll(SKIP)].map((m) => ({ name: m[1]!, reason: m[2]!, unsupported: m[3] !== undefined }));
  let total = 0;
  let ran = 0;
  for (const m of text.matchAll(SUMMARY)) {
    total += Number(m[1]);
    ran += Number(m[2]);
    for (let i = 0; i < Number(m[3]); i++)
      skips.push({ name: 'test.skip or test.only', reason: 'left in the file', unsupported: false });
  }
  // A named skip is a test that returned early, so uvu counts it as passed.
  const passed = Math.max(0, ran - skips.length);
  const failed = total - ran;
  if (end.timedOut) return { passed, failed: failed + 1, skips, problem: 'timed out' };
  if (end.exitCode !== 0 && failed === 0) {
    return { passed, failed: 1, skips, problem: end.exitCode === null ? 'killed' : `exit code ${end.exitCode}` };
  }
  if (total === 0 && skips.length === 0) return { passed, failed: 1, skips, problem: 'ran no test' };
  if (failed > 0 && !FAILURE.test(text)) return { passed, failed, skips, problem: SILENT };
  return { passed, failed, skips };
}

/** The time limit of a test file in seconds: `// timeout: N` on its first line, else the default. */
export function timeoutOf(source: string, fallback: number): number {
  const m = /^\/\/ timeout: (\d+)\b/.exec(source);
  return m ? Number(m[1]) : fallback;
}

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

/** The closing line: `N passed, N failed`, and `, N skipped` when there are. */
export function closingLine(t: Totals): string {
  return `${t.passed} passed, ${t.failed} failed${t.skipped > 0 ? `, ${t.skipped} skipped` : ''}`;
}
