/**
 * Resident memory of running a model: what a process takes beyond a Node that runs nothing, ours and onnxruntime-node's, each in fresh
 * processes; and what two processes with the same weights share. Linux only. Writes out/memory.json.
 *
 * --filter TEXT   models whose name has one of these parts (imagenet_mobilenet_v1,ocr_ppocr4_rec)
 * --json          print the document instead of the tables
 */
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeAtomic } from '../sdk/util/files.ts';
import { bareNode, bundledPrograms, type MemoryResult, measureMemory } from './speed/memory/measure.ts';
import { sharedModels } from './speed/models.ts';
import { installCompetitors } from './speed/packages.ts';
import { prepare, sourceHashes } from './speed/prepare.ts';
import { aligned } from './speed/present/tables.ts';

const root = resolve(import.meta.dirname, '..');
const FOLDER = join(root, 'out/speed');
const MODELS = 'imagenet_mobilenet_v1,ocr_ppocr4_rec';
/** Of onnxruntime-node's growth. */
const GOAL = 0.14;

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1);

function textOf({ model, rows, failures, shared }: MemoryResult): string {
  const table = [
    [model, 'resident, MB', 'of onnxruntime-node', 'proportional, MB', 'own, MB', 'peak, MB'],
    ...rows.map(({ program, growth, share }) => [
      program,
      megabytes(growth.rss),
      share === undefined ? '' : `${(100 * share).toFixed(1)} %`,
      megabytes(growth.pss),
      megabytes(growth.own),
      megabytes(growth.peak),
    ]),
  ];
  const both = shared
    ? [
        `two processes: ${megabytes(shared.bytes)} MB of weights are mapped, each is charged ${shared.each.map(megabytes).join(' and ')} MB`,
      ]
    : [];
  return [aligned(table), ...failures.map((f) => `FAILED ${f}`), ...both].join('\n');
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { filter: { type: 'string', default: MODELS }, json: { type: 'boolean', default: false } },
  });
  const parts = values.filter.split(',').filter(Boolean);
  const models = sharedModels().filter((m) => parts.some((p) => m.id.includes(p)));
  if (models.length === 0) {
    console.error(`bench-memory: no model of ../shared/models has '${values.filter}' in its name`);
    return 2;
  }
  const problem = await installCompetitors((text) => console.error(text));
  if (problem !== '') console.error(problem);
  const [programs, hashes] = [await bundledPrograms(root), await sourceHashes(root)];
  const bare = await bareNode(programs, FOLDER);
  const results: MemoryResult[] = [];
  for (const model of models) {
    const folder = join(FOLDER, model.id.replaceAll('/', '_'));
    const prepared = await prepare(model, folder, hashes, (text) => console.error(`  ${text}`));
    const result = await measureMemory(programs, prepared, folder, bare);
    results.push(result);
    if (!values.json) console.log(`${textOf(result)}\n`);
  }
  const machine = { processor: cpus()[0]?.model ?? 'unknown', cores: cpus().length, node: process.version };
  const document = { machine, goal: GOAL, bare, results };
  await writeAtomic(join(FOLDER, '../memory.json'), `${JSON.stringify(document, null, 2)}\n`);
  if (values.json) console.log(JSON.stringify(document, null, 2));
  else
    console.log(
      `growth over a Node that runs nothing (${megabytes(bare.rss)} MB resident); native should be at most ${(100 * GOAL).toFixed(0)} %`,
    );
  return results.some((r) => r.failures.length > 0) ? 1 : 0;
}

process.exitCode = await main();
