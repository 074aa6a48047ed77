/**
 * Runs the test files (*.test.ts) under the given folders, each in its own process, and closes with one line
 * `N passed, N failed`. Options: --jobs N, --json FILE, --filter TEXT (part of the path), --without-compilers (tests name
 * what compilers and emulators of this machine would be called for), --together (short files of a folder share a process; one that fails
 * there is run by itself).
 */
import { readdir, writeFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type FileRun, limitOf, mayShare, runTestFile, runTestFiles } from './lib/run-test-file.ts';
import { closingLine, type Totals } from './lib/uvu-report.ts';

const root = resolve(import.meta.dirname, '..');

async function findTests(folders: readonly string[], filter: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of folders) {
    const entries = await readdir(resolve(root, folder), { recursive: true }).catch((e: NodeJS.ErrnoException) => {
      if (e.code === 'ENOENT') return [];
      if (e.code === 'ENOTDIR') return [''];
      throw e;
    });
    for (const entry of entries) {
      const path = resolve(root, folder, entry);
      if (path.endsWith('.test.ts') && path.includes(filter)) found.push(path);
    }
  }
  return [...new Set(found)].sort();
}

/** Files that may take long first, so that no worker is left alone with one at the end; otherwise in the order of names. */
async function longestFirst(files: readonly string[]): Promise<string[]> {
  const limits = new Map(await Promise.all(files.map(async (f) => [f, await limitOf(f)] as const)));
  return [...files].sort((a, b) => limits.get(b)! - limits.get(a)!);
}

/** Files of a process at most. */
const SHARING = 12;

/** Files that share a process: short ones, those of a folder and of its neighbours together. */
async function sharing(files: readonly string[]): Promise<string[][]> {
  const groups: string[][] = [];
  let folder = '';
  for (const file of files) {
    if (!(await mayShare(file))) continue;
    const top = relative(root, dirname(file)).split('/').slice(0, 3).join('/');
    const last = groups.at(-1);
    if (last && top === folder && last.length < SHARING) last.push(file);
    else groups.push([file]);
    folder = top;
  }
  return groups.filter((g) => g.length > 1);
}

/** With EIGEN_REQUIRE_ALL=1 (set where everything is installed) a skip that an installation would avoid is a failure. */
function judge(run: FileRun, requireAll: boolean): FileRun {
  const avoidable = requireAll ? run.skips.filter((s) => !s.unsupported) : [];
  if (avoidable.length === 0) return run;
  const skips = run.skips.filter((s) => s.unsupported);
  return {
    ...run,
    failed: run.failed + avoidable.length,
    skips,
    problem: `skipped ${avoidable.map((s) => `'${s.name}': ${s.reason}`).join('; ')}`,
  };
}

function printRun(run: FileRun): void {
  const name = relative(root, run.file);
  const counts = `${run.passed} passed${run.failed ? `, ${run.failed} FAILED` : ''}${run.skips.length ? `, ${run.skips.length} skipped` : ''}`;
  console.log(
    `${run.failed ? 'not ok' : 'ok    '} ${name}  ${counts}  ${run.seconds.toFixed(1)} s${run.problem ? `  (${run.problem})` : ''}`,
  );
  for (const s of run.skips) console.log(`       skip ${s.name}: ${s.reason}`);
  if (run.failed) console.log(run.output.trimEnd().replace(/^/gm, '    '));
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      jobs: { type: 'string' },
      json: { type: 'string' },
      filter: { type: 'string', default: '' },
      'without-compilers': { type: 'boolean', default: false },
      together: { type: 'boolean', default: false },
    },
  });
  const files = await findTests(positionals.length ? positionals : ['test'], values.filter);
  const requireAll = process.env.EIGEN_REQUIRE_ALL === '1';
  // The product finds none where its setting names one that is not there.
  const env = values['without-compilers'] ? { EIGEN_WITHOUT_COMPILERS: '1', EIGEN_CC: 'none' } : {};
  const runs: FileRun[] = [];
  const groups = values.together ? await sharing(files) : [];
  const shared = new Set(groups.flat());
  const queue = await longestFirst(files.filter((f) => !shared.has(f)));
  const ended = (all: readonly FileRun[]): void => {
    for (const run of all.map((r) => judge(r, requireAll))) {
      runs.push(run);
      printRun(run);
    }
  };
  const worker = async (): Promise<void> => {
    for (;;) {
      const [file, group] = queue.length > 0 ? [queue.shift()!] : [undefined, groups.shift()];
      if (file !== undefined) ended([await runTestFile(file, root, env)]);
      else if (group) {
        const passed = await runTestFiles(group, root, env);
        ended(passed);
        queue.push(...group.filter((f) => !passed.some((r) => r.file === f)));
      } else return;
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(values.jobs ?? 2)) }, worker));
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  for (const r of runs) {
    totals.passed += r.passed;
    totals.failed += r.failed;
    totals.skipped += r.skips.length;
  }
  if (values.json) {
    const summary = { ...totals, files: runs.map(({ output: _, ...r }) => ({ ...r, file: relative(root, r.file) })) };
    await writeFile(values.json, `${JSON.stringify(summary, null, 2)}\n`);
  }
  if (totals.passed === 0) console.log('no test ran');
  console.log(closingLine(totals));
  return totals.failed > 0 || totals.passed === 0 ? 1 : 0;
}

process.exitCode = await main();
