import { spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { installBundle, readBundle } from '../../../sdk/bundle/index.ts';
import { readArrays } from '../../../sdk/index.ts';
import { bytesOf } from '../../../sdk/util/tensor.ts';
import { COMPETITORS, installedVersion } from '../packages.ts';
import type { Prepared } from '../prepare.ts';
import { bundled, bundledParts } from '../process.ts';
import { spreadOf } from '../results.ts';
import type { InputFile } from './inputs.ts';

/** Inferences of a process, and processes of a kind. */
const RUNS = 10;
const PROCESSES = 5;
/** What others are compared with. */
const ORIGINAL = 'onnxruntime-node fp32';

/** Bytes, medians over several processes. */
export interface Memory {
  /** Resident set when the program ends. */
  readonly rss: number;
  /** The same, pages that other processes have as well counted in part. */
  readonly pss: number;
  /** Pages that no other process has. */
  readonly own: number;
  /** Largest resident set. */
  readonly peak: number;
}

/** What a program takes beyond a Node that runs nothing. */
export interface MemoryRow {
  readonly program: string;
  readonly growth: Memory;
  /** Of onnxruntime-node's resident growth with the original; absent without it. */
  readonly share?: number;
}

export interface MemoryResult {
  readonly model: string;
  readonly rows: readonly MemoryRow[];
  readonly failures: readonly string[];
  /** Two processes with the same bundle at once: bytes of the weights' mapping, and what of it each is charged with. Absent unmapped. */
  readonly shared?: { readonly bytes: number; readonly each: readonly number[] };
}

export interface Programs {
  readonly preload: string;
  readonly ort: string;
  readonly native: string;
  readonly wasm: string;
  readonly cli: string;
}

/** Every program as one file of JavaScript, but for the command line. */
export async function bundledPrograms(root: string): Promise<Programs> {
  const out = (name: string): string => join(root, 'out/speed', `${name}.mjs`);
  const memory = (name: string): Promise<string> =>
    bundled(root, `tools/speed/memory/${name}.ts`, out(`memory-${name}`), 'whole');
  return {
    preload: await memory('preload'),
    ort: await memory('ort'),
    native: await memory('native'),
    wasm: await memory('wasm'),
    cli: await bundledParts(root, 'sdk/cli/main.ts', join(root, 'out/speed/cli')),
  };
}

/** Memory of a Node that runs nothing. */
export function bareNode(programs: Programs, folder: string): Promise<Memory> {
  return measured(programs, ['-e', ''], folder);
}

export async function measureMemory(
  programs: Programs,
  prepared: Prepared,
  folder: string,
  bare: Memory,
): Promise<MemoryResult> {
  const inputs = JSON.stringify(await inputFiles(prepared, folder));
  const runs = String(RUNS);
  const kinds: [program: string, args: string[]][] = [];
  if ((await installedVersion('onnxruntime-node')) !== undefined) {
    const models = [prepared.model.path, ...prepared.int8];
    for (const path of models) {
      const name = path === prepared.model.path ? 'fp32' : `int8 ${/int8-(\w+)/.exec(path)![1]}`;
      kinds.push([`onnxruntime-node ${name}`, [programs.ort, COMPETITORS, path, inputs, runs]]);
    }
  }
  const digest = basename(await installBundle(await readBundle(prepared.bundle), folder));
  const installed = [folder, digest];
  for (const engine of ['native', 'wasm'] as const) {
    kinds.push([`ours ${engine}`, [programs[engine], ...installed, inputs, runs]]);
    const io = ['--input', prepared.inputs, '--output', join(folder, 'run.npz')];
    kinds.push([`eigenweights run, ${engine}`, [programs.cli, 'run', prepared.bundle, ...io, '--engine', engine]]);
  }
  const rows: MemoryRow[] = [];
  const failures: string[] = [];
  for (const [program, args] of kinds) {
    try {
      const all = await measured(programs, args, folder);
      const growth = mapped((key) => all[key] - bare[key]);
      const original = rows.find((r) => r.program === ORIGINAL);
      rows.push({ program, growth, ...(original ? { share: growth.rss / original.growth.rss } : {}) });
    } catch (cause) {
      failures.push(`${program}: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }
  const shared = await sharedWeights([programs.native, ...installed, inputs, runs, 'hold']);
  return { model: prepared.model.id, rows, failures, ...(shared ? { shared } : {}) };
}

const KEYS = ['rss', 'pss', 'own', 'peak'] as const;

function mapped(of: (key: (typeof KEYS)[number]) => number): Memory {
  return Object.fromEntries(KEYS.map((key) => [key, of(key)])) as unknown as Memory;
}

async function inputFiles({ inputs }: Prepared, folder: string): Promise<InputFile[]> {
  const files: InputFile[] = [];
  for (const [name, t] of Object.entries(await readArrays(inputs))) {
    const path = join(folder, `memory-${files.length}.f32`);
    await writeFile(path, bytesOf(t.data));
    files.push({ name, shape: t.shape, path });
  }
  return files;
}

async function measured({ preload }: Programs, args: readonly string[], folder: string): Promise<Memory> {
  const out = join(folder, 'memory.txt');
  const all: Memory[] = [];
  for (let i = 0; i < PROCESSES; i++) {
    await rm(out, { force: true });
    await finished(['--import', preload, ...args], { ...process.env, EIGENWEIGHTS_MEMORY: out });
    all.push(parsed(await readFile(out, 'utf8')));
  }
  return mapped((key) => spreadOf(all.map((m) => m[key])).median);
}

function finished(args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let tail = '';
    child.stderr.on('data', (text: Buffer) => {
      tail = (tail + text).slice(-500);
    });
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done() : fail(new Error(tail.trim() || `exit code ${code}`))));
  });
}

/** Fields of proc(5) in kB. */
function parsed(text: string): Memory {
  const of = (field: string): number => 1024 * Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]);
  return {
    rss: of('Rss'),
    pss: of('Pss'),
    own: of('Private_Clean') + of('Private_Dirty'),
    peak: of('VmHWM'),
  };
}

/** Runs the program twice at once and looks at its mapping of the weights' file. */
async function sharedWeights(args: readonly string[]): Promise<MemoryResult['shared']> {
  const children = [0, 1].map(() => spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
  try {
    const ready = children.map(
      (c) =>
        new Promise<boolean>((settle) => {
          c.stdout.once('data', () => settle(true));
          c.once('close', () => settle(false));
        }),
    );
    if ((await Promise.all(ready)).includes(false)) return undefined;
    const maps = await Promise.all(
      children.map(async (c) => weightsMapping(await readFile(`/proc/${c.pid}/smaps`, 'utf8'))),
    );
    const [first] = maps;
    return first ? { bytes: first.rss, each: maps.map((m) => m?.pss ?? 0) } : undefined;
  } finally {
    for (const c of children) c.stdin.end();
  }
}

function weightsMapping(smaps: string): Memory | undefined {
  const sections = smaps.split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m).filter((s) => /\/weights\.bin\n/.test(s));
  const all = sections.map(parsed);
  return all.length === 0 ? undefined : mapped((key) => all.reduce((sum, m) => sum + m[key], 0));
}
