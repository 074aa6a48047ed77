import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CompiledProgram, compileGraph, planProgram } from './compile/index.ts';
import type { Target } from './compile/target.ts';
import type { Engine } from './device/engine/engine.ts';
import { type Graph, type Node, valueNamed } from './ir/graph.ts';
import { cacheFolder, keep } from './util/cache.ts';
import { sha256 } from './util/hash.ts';
import { packageVersion } from './util/package.ts';

/** Sizes of a block of activations that are tried, bytes, ascending: more than the widest differs only where rows are huge. */
export const BLOCKS: readonly number[] = [48, 96, 192, 384].map((kb) => kb * 1024);

export interface TuneRequest {
  readonly target: Target;
  /** Variant of the target that is timed; the others get the same blocks. */
  readonly variant: string;
  /** The machine that does the timing, as far as times depend on it: what was found on another is not taken. */
  readonly machine: string;
  load(compiled: CompiledProgram): Promise<Engine>;
  readonly now?: () => number;
}

export interface Tuning {
  /** Bytes of a block by node, for CompileOptions.blocks. */
  readonly blocks: ReadonlyMap<string, number>;
  /** Whether kernels were timed now; all shapes were known otherwise. */
  readonly timed: boolean;
}

/** Blocks that are slower than the fastest by no more than this are as good: the smallest of them takes least memory. */
const AS_GOOD = 1.02;
const ROUNDS = 12;
const TIMED_MS = 1500;

/**
 * The size of a block for every kernel that multiplies, found by timing whole programs on this machine, a candidate in all kernels at a time,
 * interleaved. What is found is kept by the shape of the layer, the machine and the engine. Outputs do not depend on it.
 */
export async function tuneBlocks(graph: Graph, request: TuneRequest): Promise<Tuning> {
  const found = new Map<string, number>();
  const shapes = new Map(graph.nodes.map((node) => [node.name, keyOf(graph, node, request)]));
  const { program } = planProgram(graph, request.target.vectors);
  const layers = new Map(program.steps.filter((s) => s.macs > 0).map((s) => [s.node, shapes.get(s.node)!]));
  for (const key of new Set(layers.values())) {
    const known = await read(key);
    if (known !== undefined) found.set(key, known);
  }
  const timed = [...layers.values()].some((key) => !found.has(key));
  if (timed) {
    const { target, variant } = request;
    const programs: CompiledProgram[] = [];
    for (const blockBytes of BLOCKS)
      programs.push(await compileGraph(graph, target, { blockBytes, variants: [variant] }));
    for (const [key, bytes] of await best(programs, layers, request)) {
      if (found.has(key)) continue;
      found.set(key, bytes);
      await write(key, bytes);
    }
  }
  return { blocks: new Map([...layers].map(([node, key]) => [node, found.get(key)!])), timed };
}

/** The best block by shape: times of layers of one shape are added up. */
async function best(
  programs: readonly CompiledProgram[],
  layers: ReadonlyMap<string, string>,
  { load, now = () => performance.now() }: TuneRequest,
): Promise<Map<string, number>> {
  const engines: Engine[] = [];
  try {
    for (const p of programs) engines.push(await load(p));
    const least = programs.map((p) => new Float64Array(p.program.steps.length).fill(Number.POSITIVE_INFINITY));
    const started = now();
    for (let round = 0; round < ROUNDS || now() - started < TIMED_MS; round++) {
      for (const [i, engine] of engines.entries()) {
        const steps = programs[i]!.program.steps.length;
        let before = now();
        // Inputs are zeros: times of these kernels do not depend on data.
        engine.runSteps(0, steps, (step) => {
          const at = now();
          least[i]![step] = Math.min(least[i]![step]!, at - before);
          before = at;
        });
      }
    }
    const times = new Map<string, number[]>();
    for (const [i, p] of programs.entries()) {
      p.program.steps.forEach(({ node }, step) => {
        const key = layers.get(node);
        if (key === undefined) return;
        const sums = times.get(key) ?? BLOCKS.map(() => 0);
        sums[i]! += least[i]![step]!;
        times.set(key, sums);
      });
    }
    return new Map([...times].map(([key, sums]) => [key, choose(sums)]));
  } finally {
    for (const e of engines) e.close();
  }
}

/** The smallest block that is as good as the fastest. */
export function choose(times: readonly number[]): number {
  const limit = Math.min(...times) * AS_GOOD;
  return BLOCKS[times.findIndex((t) => t <= limit)]!;
}

/** What the time of a layer depends on: its operator, attributes and operands, but not their data. */
function keyOf(graph: Graph, node: Node, { target, variant, machine }: TuneRequest): string {
  const operand = (name: string) => {
    if (name === '') return null;
    const { type, packing, data } = valueNamed(graph, name);
    return [type.dtype, type.shape, data !== undefined, packing?.kind === 'codes' ? packing.bits : 0];
  };
  const shape = [node.op, node.attrs, node.inputs.map(operand), node.outputs.map(operand)];
  return sha256(JSON.stringify([packageVersion(), machine, target.platform, variant, BLOCKS, shape]));
}

function fileOf(key: string): string | undefined {
  const folder = cacheFolder();
  return folder && join(folder, 'tuning', `${key}.json`);
}

async function read(key: string): Promise<number | undefined> {
  const file = fileOf(key);
  const text = file && (await readFile(file, 'utf8').catch(() => undefined));
  if (text === undefined) return undefined;
  const bytes = Number(text);
  return BLOCKS.includes(bytes) ? bytes : undefined;
}

async function write(key: string, bytes: number): Promise<void> {
  const file = fileOf(key);
  // Read-only or full: timed again next time.
  if (file) await keep(file, new TextEncoder().encode(String(bytes))).catch(() => undefined);
}
