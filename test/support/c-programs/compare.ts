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
  /** A function, or the whole program. */
  readonly source: string;
  /** Words that differ, or why there are none. */
  readonly found: readonly string[];
}

/** What differs of some programs, each run so many times: the first difference of each function. */
export async function differences(programs: readonly CProgram[], runs: number): Promise<Difference[]> {
  const all = PRELUDE + programs.map((p) => p.source).join('');
  const clangs = start(await compileC(moduleRequest(all, FLAGS, programs.flatMap(namesOf))));
  return programs.flatMap((program) => {
    const { seed, source, functions } = program;
    let ours: RunningC;
    try {
      ours = start(compileKernels([PRELUDE + source], [], namesOf(program)));
    } catch (e) {
      return { seed, source: PRELUDE + source, found: [(e as Error).message] };
    }
    return functions.flatMap((f): Difference[] => {
      for (let run = 0; run < runs; run++) {
        const found = differing(call(clangs, f.name, seed + run), call(ours, f.name, seed + run));
        if (found.length > 0) return [{ seed, source: f.source, found }];
      }
      return [];
    });
  });
}

const namesOf = ({ functions }: CProgram): string[] => functions.map((f) => f.name);

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
const BYTES_OF_EDGES = [0, 1, 255, 127, 128];

/** What a function leaves in memory, as words, after one by which it is seen where it traps. */
function call({ bytes, exports }: RunningC, name: string, seed: number): Int32Array {
  const rng = new Rng(seed);
  fill(bytes, rng);
  const int = (): number => (rng.below(2) === 0 ? oneOf(EDGES, rng) : rng.next() | 0);
  const z = rng.below(2) === 0 ? rng.below(20) - 10 : noise(rng, 1e5);
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

const noise = (rng: Rng, most: number): number => (rng.uniform() - 0.5) * most;

/** What parameters point to, before a call. */
function fill(memory: Uint8Array, rng: Rng): void {
  memory.fill(0, BYTES_AT - BEFORE, SOURCES_AT + 4 * SOURCE_BYTES);
  const [bytes, sources] = [memory.subarray(BYTES_AT - BEFORE, BYTES_AT + BEFORE), memory.subarray(SOURCES_AT)];
  for (const part of [bytes, sources.subarray(0, 4 * SOURCE_BYTES)]) {
    for (let i = 0; i < part.length; i++) part[i] = rng.below(3) === 0 ? oneOf(BYTES_OF_EDGES, rng) : rng.below(256);
  }
  const floats = new Float32Array(memory.buffer);
  for (const at of [FLOATS_AT, SOURCES_AT + SOURCE_BYTES]) {
    for (let i = 0; i < 16; i++) floats[at / 4 + i] = rng.below(3) === 0 ? rng.below(9) - 4 : noise(rng, 1000);
  }
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
