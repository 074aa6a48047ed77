import { Rng } from '../../../sdk/util/rng.ts';
import { compileKernels } from '../../../targets/wasm/cc/index.ts';
import { compileC } from '../../../targets/wasm/compiler.ts';
import { feature, moduleRequest } from '../../../targets/wasm/toolchain.ts';
import { instantiate, type RunningC } from '../c-module.ts';
import { oneOf } from '../fuzz/mutate.ts';
import { PRELUDE } from './prelude.ts';
import type { CProgram } from './program.ts';

/** Random C programs run as clang compiles them, which is taken to be right, and as the kernel compiler does. */

/** Overflow and what pointers point to are as in kernels: of no surprise. More optimizing takes longer, less makes too much code of what is inlined. */
const FLAGS = ['-O1', '-fwrapv', '-relaxed-aliasing', '-Wno-everything', ...feature('simd128')];

export interface Difference {
  readonly seed: number;
  readonly name: string;
  /** Of the function. */
  readonly source: string;
  /** Words that differ. */
  readonly words: readonly string[];
}

/** What differs of some programs, compiled as one: the first difference of each function. */
export async function differences(programs: readonly CProgram[], runs: number): Promise<Difference[]> {
  const source = PRELUDE + programs.map((p) => p.source).join('');
  const names = programs.flatMap((p) => p.functions.map((f) => f.name));
  const ours = start(compileKernels([source], [], names));
  const clangs = start(await compileC(moduleRequest(source, FLAGS, names)));
  return programs.flatMap(({ seed, functions }) =>
    functions.flatMap((f): Difference[] => {
      for (let run = 0; run < runs; run++) {
        const words = differing(call(clangs, f.name, seed + run), call(ours, f.name, seed + run));
        if (words.length > 0) return [{ seed, ...f, words }];
      }
      return [];
    }),
  );
}

/** Where parameters point to, behind all data of a module, and how many bytes before and behind that are compared. */
const BYTES_AT = 0x30000;
const FLOATS_AT = BYTES_AT + 0x1000;
const SOURCES_AT = BYTES_AT + 0x2000;
const BEFORE = 256;
const BYTES = 0xc00;
const FLOATS = 128;
const SOURCE_BYTES = 64;

function start(module: Uint8Array): RunningC {
  const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
  const running = instantiate(module, memory);
  if (running.heap > BYTES_AT - BEFORE) throw new RangeError(`the data of the module ends at ${running.heap}`);
  return running;
}

const EDGES = [0, 1, -1, 2147483647, -2147483648, 255, 256, 127, 128, -128, -129, 65535, 32768];

/** What a function leaves in memory, as words; one by which it is seen where it traps. */
function call({ bytes, exports }: RunningC, name: string, seed: number): Int32Array {
  const rng = new Rng(seed);
  const any = (most: number): number => (rng.uniform() - 0.5) * most;
  bytes.fill(0, BYTES_AT - BEFORE, SOURCES_AT + 4 * SOURCE_BYTES);
  const fill = (from: number, count: number): void => {
    for (let i = 0; i < count; i++)
      bytes[from + i] = rng.below(3) === 0 ? oneOf([0, 1, 255, 127, 128], rng) : rng.below(256);
  };
  fill(BYTES_AT - BEFORE, 2 * BEFORE);
  fill(SOURCES_AT, 4 * SOURCE_BYTES);
  const floats = new Float32Array(bytes.buffer);
  const numbers = (at: number): void => {
    for (let i = 0; i < 16; i++) floats[at / 4 + i] = rng.below(3) === 0 ? rng.below(9) - 4 : any(1000);
  };
  numbers(FLOATS_AT);
  numbers(SOURCES_AT + SOURCE_BYTES);
  const int = (): number => (rng.below(2) === 0 ? oneOf(EDGES, rng) : rng.next() | 0);
  const z = rng.below(2) === 0 ? rng.below(20) - 10 : any(1e5);
  const sources = [0, 1, 2, 3].map((i) => SOURCES_AT + i * SOURCE_BYTES);
  if (rng.below(3) === 0) sources[3] = 0;
  let trap = 0;
  try {
    exports[name]!(BYTES_AT, FLOATS_AT, int(), int(), z, ...sources);
  } catch (e) {
    if (!(e instanceof WebAssembly.RuntimeError)) throw e;
    trap = 1;
  }
  const words = new Int32Array(bytes.buffer);
  const written = words.slice((BYTES_AT - BEFORE) / 4, (BYTES_AT + BYTES) / 4);
  const results = words.slice(FLOATS_AT / 4, FLOATS_AT / 4 + FLOATS).map(withoutNan);
  return Int32Array.of(trap, ...written, ...results);
}

/** NaNs, of which any may be made, as one; so are the upper halves of those of doubles. */
function withoutNan(word: number): number {
  return (word & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : word;
}

function differing(clangs: Int32Array, ours: Int32Array): string[] {
  const found: string[] = [];
  clangs.forEach((word, i) => {
    if (word !== ours[i]) found.push(`word ${i}: clang ${word}, kernel compiler ${ours[i]}`);
  });
  return found.slice(0, 6);
}
