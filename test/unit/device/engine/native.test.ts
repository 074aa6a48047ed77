import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../../../sdk/compile/index.ts';
import { findCompiler } from '../../../../sdk/compile/toolchains/compiler.ts';
import { buildSharedObject } from '../../../../sdk/compile/toolchains/shared-object.ts';
import { NativeEngine } from '../../../../sdk/device/engine/native.ts';
import { residentBlock } from '../../../../sdk/runner.ts';
import { skip } from '../../../../sdk/testing/skip.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { bytesOf, tensor } from '../../../../sdk/util/tensor.ts';
import { hostTarget } from '../../../../targets/host/index.ts';
import { compilesFor, WITHOUT_COMPILER } from '../../../support/compilers.ts';
import { GraphSketch } from '../../../support/graphs.ts';

const there = process.arch === 'x64' && process.platform === 'linux' && (await compilesFor(hostTarget));
const compiled = there ? await compileGraph(small(), hostTarget, { variants: ['sse4'] }) : undefined;

function small() {
  const g = new GraphSketch('small');
  const x = g.input('x', [5]);
  const y = g.node('Add', [x, tensor('f32', [5], [1, 2, 3, 4, 5])]);
  return g.build(g.node('Relu', [y]));
}

const X = { x: tensor('f32', [5], [-9, 0.5, -3, 0.25, 7]) };
const Y = [0, 2.5, 0, 4.25, 12];

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-native-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

test('weights in a file are mapped, and what is written to them stays out of it', async () => {
  if (!compiled) return skip('mapped weights', WITHOUT_COMPILER);
  const { program, modules } = compiled;
  const block = residentBlock(compiled);
  const file = join(folder, 'weights.bin');
  writeFileSync(file, block);
  for (const weights of [block, { file }]) {
    const engine = await NativeEngine.load(program, modules, weights, { threads: 2 });
    const name = program.outputs[0]!.name;
    assert.equal([...engine.run(X)[name]!.data], Y);
    engine.writeWeights(program.weights[0]!.offset, new Uint8Array(new Float32Array([9, 2, 3, 4, 5]).buffer));
    assert.is(engine.run(X)[name]!.data[0], 0);
    assert.is(engine.run({ x: tensor('f32', [5], [1, 0, 0, 0, 0]) })[name]!.data[0], 10);
    engine.close();
    engine.close();
  }
  assert.ok(readFileSync(file).equals(Buffer.from(block)));
});

test('of kernels in files the best is loaded where it is, the others are not looked at', async () => {
  if (!there) return skip('kernels in files', WITHOUT_COMPILER);
  const both = await compileGraph(small(), hostTarget, { variants: ['sse4', 'avx2'] });
  const { program, modules } = both;
  const asked: string[] = [];
  const files = modules.map(({ platform, variant, bytes }) => {
    const file = join(folder, `${variant}.so`);
    writeFileSync(file, bytes);
    const verified = async (): Promise<string> => {
      asked.push(variant);
      return sha256(bytes);
    };
    return { platform, variant, file, verified };
  });
  const engine = await NativeEngine.load(program, files, residentBlock(both));
  assert.equal([...engine.run(X)[program.outputs[0]!.name]!.data], Y);
  assert.equal(asked, [engine.variant]);
  engine.close();
});

/** Memory that ends where no page follows. */
class Guarded {
  private readonly at: bigint;
  private readonly bytes: number;
  private readonly end: number;

  constructor(bytes: number) {
    this.bytes = bytes;
    this.end = Math.ceil((bytes + 128) / 4096) * 4096;
    const library = koffi.load('libc.so.6');
    const map = library.func('void *mmap(void *at, size_t bytes, int protection, int flags, int file, long offset)');
    const protect = library.func('int mprotect(void *at, size_t bytes, int protection)');
    this.at = map(null, this.end + 4096, 3, 0x22, -1, 0);
    assert.is(protect(this.at + BigInt(this.end), 4096, 0), 0);
  }

  /** So many bytes before the page that is not there. */
  floats(count: number, before = 0): Float32Array {
    return new Float32Array(koffi.view(this.at, this.end), this.end - this.bytes - before, count);
  }

  free(): void {
    koffi.load('libc.so.6').func('int munmap(void *at, size_t bytes)')(this.at, this.end + 4096);
  }
}

/** The processors that every thread of this process may run on, as masks of sched.h. */
function processorsOf(): Map<number, bigint> {
  const masks = readdirSync('/proc/self/task').map((id): [number, bigint] => {
    const [, mask] = /^Cpus_allowed:\t(.*)$/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8'))!;
    return [Number(id), BigInt(`0x${mask!.replaceAll(',', '')}`)];
  });
  return new Map(masks);
}

test('threads stay on the processors that the process is left with', async () => {
  if (!compiled || availableParallelism() < 2) return skip('fewer processors', `one processor, or ${WITHOUT_COMPILER}`);
  const setMask = koffi.load('libc.so.6').func('int sched_setaffinity(int thread, size_t size, void *mask)');
  const restrict = (mask: bigint): void => {
    for (const thread of processorsOf().keys()) setMask(thread, 128, new BigUint64Array(16).fill(mask, 0, 1));
  };
  const engine = await NativeEngine.load(compiled.program, compiled.modules, residentBlock(compiled), { threads: 2 });
  const all = processorsOf().get(process.pid)! & 0xffff_ffff_ffff_ffffn;
  const run = async (): Promise<void> => {
    // Threads that sleep are woken for a small network that is run again at once.
    for (let i = 0; i < 20; i++) {
      for (let again = 0; again < 5; again++) engine.run(X);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  // The first two processors: by the time of the second, threads have left one or the other of their own accord.
  const one = all & -all;
  const two = all & ~one & -(all & ~one);
  try {
    for (const mask of [one, two]) {
      restrict(mask);
      await run();
      assert.equal([...new Set(processorsOf().values())], [mask]);
      restrict(all);
      await run();
    }
  } finally {
    restrict(all);
    engine.close();
  }
});

test('threads that come and go give the same outputs', async () => {
  if (!there) return skip('threads', WITHOUT_COMPILER);
  // Steps that are split, and one that is not; threads sleep between some of the runs.
  const g = new GraphSketch('split');
  const x = g.input('x', [256, 192]);
  const many = g.node('Add', [g.node('Softmax', [x], { axis: 1, log: false }), x]);
  const few = g.node('Reduce', [many], { fn: 'sum', axes: [0], keepdims: true });
  const graph = g.build(g.node('Mul', [g.node('Softmax', [many], { axis: 1, log: false }), few]));
  const split = await compileGraph(graph, hostTarget, { variants: ['sse4'] });
  const data = Float32Array.from({ length: 256 * 192 }, (_, i) => Math.sin(i));
  const name = split.program.outputs[0]!.name;
  let want: Buffer | undefined;
  for (const threads of [1, 2, 5]) {
    const engine = await NativeEngine.load(split.program, split.modules, residentBlock(split), { threads });
    for (let run = 0; run < 60; run++) {
      if (run % 20 === 19) await new Promise((resolve) => setTimeout(resolve, 1));
      const got = Buffer.from(bytesOf(engine.run({ x: tensor('f32', [256, 192], data) })[name]!.data));
      want ??= got;
      assert.ok(got.equals(want), `${threads} threads, run ${run}`);
    }
    engine.close();
  }
});

test('inputs and outputs are used where they are, at the end of their page, of one memory, and read again', async () => {
  if (!there) return skip('tensors in place', WITHOUT_COMPILER);
  // The first output is read by the step behind it; what is left over of a vector lies behind the tensors.
  const g = new GraphSketch('ends');
  const x = g.input('x', [61, 67]);
  const first = g.node('Add', [x, tensor('f32', [], [1])]);
  const graph = g.build(first, g.node('Mul', [g.node('Softmax', [first], { axis: 1, log: false }), x]));
  const ends = await compileGraph(graph, hostTarget, { variants: ['sse4'] });
  const { outputs } = ends.program;
  const count = 61 * 67;
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin(i));
  const guarded = new Guarded(4 * count);
  const load = (threads: number) =>
    NativeEngine.load(ends.program, ends.modules, residentBlock(ends), { threads, splitAll: true });
  let want: Buffer[] | undefined;
  for (const threads of [1, 2, 3]) {
    const engine = await load(threads);
    const fresh = (): Record<string, ReturnType<typeof tensor>> =>
      Object.fromEntries(outputs.map((o) => [o.name, tensor('f32', [61, 67], new Float32Array(count))]));
    const run = (input: Float32Array, into = {}): Buffer[] => {
      const got = engine.run({ x: tensor('f32', [61, 67], input) }, into);
      return outputs.map((o) => Buffer.from(bytesOf(got[o.name]!.data)));
    };
    want ??= run(data);
    assert.equal(run(data), want);
    assert.equal(run(data, fresh()), want);
    // What lies in the arena is copied: it changes while kernels run.
    const [one] = ends.program.outputs;
    const again = run(run(data) && Float32Array.from(engine.viewSlot(one!).data as Float32Array));
    run(data);
    assert.equal(run(engine.viewSlot(one!).data as Float32Array), again, 'an input in the arena');
    const atEnd = guarded.floats(count);
    atEnd.set(data);
    assert.equal(run(atEnd), want, 'an input at the end of its page');
    for (const { name } of outputs) {
      atEnd.set(data);
      assert.equal(run(data, { ...fresh(), [name]: tensor('f32', [61, 67], atEnd) }), want, 'an output there');
      atEnd.set(data);
      assert.equal(run(atEnd, { ...fresh(), [name]: tensor('f32', [61, 67], atEnd) }), want, 'in place of the input');
      // Neither is at an end here, and the buffers are two of one memory.
      const [inside, over] = [guarded.floats(count, 128), guarded.floats(count, 96)];
      inside.set(data);
      assert.equal(run(inside, { ...fresh(), [name]: tensor('f32', [61, 67], over) }), want, 'over the input');
    }
    const whole = Int32Array.from(data, (v) => Math.round(9 * v));
    const integers = whole as unknown as Float32Array;
    assert.equal(run(integers), run(Float32Array.from(whole)), 'elements of another type are converted');
    engine.close();
  }
  guarded.free();
});

test('kernels that cannot be loaded are refused by name', async () => {
  if (!compiled) return skip('unusable kernels', WITHOUT_COMPILER);
  const { program } = compiled;
  const block = residentBlock(compiled);
  const refused = async (modules: Parameters<typeof NativeEngine.load>[1], message: RegExp): Promise<void> => {
    try {
      await NativeEngine.load(program, modules, block);
      assert.unreachable();
    } catch (e) {
      assert.ok(isEigenError(e) && e.code === 'EW5003_ENGINE_UNAVAILABLE', String(e));
      assert.match(e.message, message);
    }
  };
  await refused([], /it has none/);
  await refused(
    [{ platform: 'linux-arm64', variant: 'cortex-a76', bytes: new Uint8Array() }],
    /linux-arm64 cortex-a76/,
  );
  await refused([{ platform: 'linux-x64', variant: 'sse4', bytes: Uint8Array.of(1, 2, 3) }], /cannot be loaded/);
});

test('a shared object is the same bytes from any folder', async () => {
  const compiler = await findCompiler('linux-x64');
  if (!compiled || !compiler) return skip('reproducible shared objects', WITHOUT_COMPILER);
  const cache = process.env.EIGEN_CACHE;
  process.env.EIGEN_CACHE = 'off';
  const again = await buildSharedObject(compiled.source, compiler, [...hostTarget.variants[0]!.flags]);
  if (cache === undefined) delete process.env.EIGEN_CACHE;
  else process.env.EIGEN_CACHE = cache;
  assert.ok(Buffer.from(again).equals(Buffer.from(compiled.modules[0]!.bytes)));
});

test.run();
