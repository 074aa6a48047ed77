/**
 * Quality kept at 8x, task by task, on the models and labelled data of ../shared/models: original (onnxruntime-web), compressed with the
 * command's defaults, and plain rounding of the same size. Prints a Markdown table and writes out/quality.json.
 * Options: --filter TEXT (part of a task's name), --samples N (a limit), --json (print the document instead of the table).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { markdownOf, type QualityFailure, type QualityRow } from './quality/row.ts';
import { MODELS, type QualityTask } from './quality/task.ts';
import { TASKS } from './quality/tasks.ts';

const root = resolve(import.meta.dirname, '..');
const OUTPUT = join(root, 'out/quality.json');

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

function child(args: readonly string[]): Promise<Ended> {
  const script = join(root, 'tools/quality/child.ts');
  return new Promise((done, fail) => {
    const p = spawn(process.execPath, ['--import', 'tsx', script, ...args], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    let stderr = '';
    p.stderr.on('data', (text) => {
      stderr = (stderr + text).slice(-4000);
    });
    p.on('error', fail);
    p.on('close', (code) => done({ code, stderr }));
  });
}

async function measure(task: QualityTask, limit: string | undefined): Promise<QualityRow | QualityFailure> {
  const started = performance.now();
  const failed = (step: QualityFailure['step'], error: string): QualityFailure => ({
    task: task.id,
    step,
    error,
    seconds: (performance.now() - started) / 1000,
  });
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-quality-'));
  try {
    const calibration = await task.calibration(MODELS, folder);
    for (const step of ['compress', 'evaluate'] as const) {
      const { code, stderr } = await child([step, task.id, MODELS, calibration, folder, ...(limit ? [limit] : [])]);
      if (code !== 0) return failed(step, stderr.trim() || `exit code ${code}`);
    }
    const read = async (step: string) => JSON.parse(await readFile(join(folder, `${step}.json`), 'utf8'));
    return {
      task: task.id,
      metric: task.metric,
      compression: await read('compress'),
      evaluation: await read('evaluate'),
    };
  } catch (cause) {
    return failed('calibration', cause instanceof Error ? cause.message : String(cause));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      filter: { type: 'string', default: '' },
      samples: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  });
  if (!existsSync(MODELS)) {
    console.error(`bench-quality: there is no ${MODELS}, the models and labelled data that it measures on`);
    return 2;
  }
  const tasks = TASKS.filter((t) => t.id.includes(values.filter));
  if (tasks.length === 0) {
    console.error(
      `bench-quality: no task's name contains '${values.filter}', there are: ${TASKS.map((t) => t.id).join(', ')}`,
    );
    return 2;
  }
  const rows: QualityRow[] = [];
  const failures: QualityFailure[] = [];
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  await mkdir(join(root, 'out'), { recursive: true });
  for (const [i, task] of tasks.entries()) {
    console.error(`${i + 1}/${tasks.length} ${task.id}`);
    const result = await measure(task, values.samples);
    if ('error' in result) failures.push(result);
    else rows.push(result);
    // After every task, so that an interrupted run leaves what it found.
    await writeFile(OUTPUT, `${JSON.stringify({ machine, rows, failures }, null, 2)}\n`);
  }
  if (values.json) console.log(JSON.stringify({ machine, rows, failures }, null, 2));
  else {
    console.log(markdownOf(rows));
    console.log(
      `measured: ${machine.processor}, ${machine.cores} cores, Node ${machine.node}; bytes are counted; 8x is relative to 4 bytes a parameter of the ONNX file`,
    );
    for (const f of failures) console.log(`FAILED ${f.task}, ${f.step}, after ${f.seconds.toFixed(0)} s: ${f.error}`);
  }
  return failures.length > 0 ? 1 : 0;
}

process.exitCode = await main();
