// timeout: 600
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph, planProgram } from '../../sdk/compile/index.ts';
import type { Target } from '../../sdk/compile/target.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import { sample, sampleInts } from '../../sdk/ir/ops/lib/cases.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/index.ts';
import { bytesOf, type Tensor, tensor } from '../../sdk/util/tensor.ts';
import { coralTarget, jetsonTarget, raspberryPiTarget } from '../../targets/aarch64/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { conformanceGraph } from '../support/conformance-graph.ts';
import { Emulator, missingTools } from '../support/emulator.ts';
import { inPlaceGraph } from '../support/in-place-graph.ts';
import { winogradGraph } from '../support/winograd-graph.ts';

/** Kernels for 64-bit Arm, run by an emulator of the core they are for, give the bits that WebAssembly gives. */
const missing = missingTools();

/** Cores that are emulated as such; qemu has none of Jetson Orin's, whose instructions are those of a Cortex-A76. */
const AS = { 'cortex-a78ae': 'cortex-a76' } as Readonly<Record<string, string>>;

const same = (a: Tensor, b: Tensor): boolean => Buffer.from(bytesOf(a.data)).equals(Buffer.from(bytesOf(b.data)));

async function onWasm(graph: Graph, inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const { program, modules, ...rest } = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
  const engine = await WasmEngine.load(program, modules, residentBlock({ program, ...rest }));
  const outputs = engine.run(inputs);
  engine.close();
  return outputs;
}

/** Outputs of the variant for a core, with 1, 2 and 4 threads, against those of WebAssembly. */
async function compare(target: Target, id: string, graph: Graph, inputs: Readonly<Record<string, Tensor>>) {
  const want = await onWasm(graph, inputs);
  const compiled = await compileGraph(graph, target, { variants: [id] });
  const emulator = await Emulator.open();
  const threads = [1, 2, 4];
  const got = await emulator.run({
    core: AS[id] ?? id,
    kernels: compiled.modules[0]!.bytes,
    program: compiled.program,
    weights: residentBlock(compiled),
    cases: [inputs],
    threads,
  });
  await emulator.close();
  for (const [i, [outputs]] of got.entries())
    for (const o of graph.outputs) assert.ok(same(outputs![o]!, want[o]!), `${o}, ${threads[i]} threads`);
}

for (const { id } of raspberryPiTarget.variants) {
  const name = `every operator: ${id}`;
  test(name, async () => {
    if (missing) return skip(name, `no ${missing}`);
    const { graph, inputs } = conformanceGraph();
    await compare(raspberryPiTarget, id, graph, inputs);
  });
}

for (const id of ['cortex-a53', 'cortex-a76']) {
  const name = `convolutions by Winograd's algorithm: ${id}`;
  test(name, async () => {
    if (missing) return skip(name, `no ${missing}`);
    const { graph, inputs } = winogradGraph();
    await compare(raspberryPiTarget, id, graph, inputs);
  });
}

for (const id of ['cortex-a53', 'cortex-a76']) {
  const name = `depthwise convolutions that write over their images: ${id}`;
  test(name, async () => {
    if (missing) return skip(name, `no ${missing}`);
    const { graph, inputs } = inPlaceGraph();
    await compare(raspberryPiTarget, id, graph, inputs);
  });
}

/** A pointwise convolution of 28 pixels to 48 channels, in 4-bit codes. */
const [PIXELS, CHANNELS] = [28, 48];

function pointwise(columns: number): Graph {
  const b = new GraphBuilder('pointwise');
  const x = b.input('x', { dtype: 'i8', shape: [1, 4, 7, columns] });
  const w = b.constant('w', sampleInts('i8', [CHANNELS, 1, 1, columns], -7, 8, 3), { kind: 'codes', bits: 4 });
  const rest = [
    b.constant('m', sample([CHANNELS], 4, 0.01, 0.02)),
    b.constant('bias', sample([CHANNELS], 5)),
    b.constant('z', tensor('i32', [1], [3])),
  ];
  const attrs = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
  const y = { dtype: 'f32', shape: [1, 4, 7, CHANNELS] } as const;
  b.node({ name: 'y', op: 'QConv', inputs: [x, w, ...rest], outputs: ['y'], attrs }, [y]);
  b.outputs.push('y');
  return b.build();
}

for (const target of [jetsonTarget, coralTarget]) {
  for (const { id } of target.variants) {
    const name = `a product: ${target.id} ${id}`;
    test(name, async () => {
      if (missing) return skip(name, `no ${missing}`);
      const x = sampleInts('i8', [1, 4, 7, 100], -128, 128, 6);
      await compare(target, id, pointwise(100), { x });
    });
  }
}

/** A program that runs the one step of a graph: on zeros, since the count does not depend on values. */
function stepProgram(columns: number): string {
  const { source, program } = planProgram(pointwise(columns), { ...raspberryPiTarget.vectors, entry: () => '' });
  const { weightBytes, arenaBytes, scratchBytes } = program;
  return `${source}
static u8 W[${weightBytes}] __attribute__((aligned(64))), A[${arenaBytes}] __attribute__((aligned(64))), S[${scratchBytes}] __attribute__((aligned(64)));
int main(void) { ew_step_0(W, A, S, 0, 1); return 0; }
`;
}

/**
 * Instructions for a multiply-accumulate: of the inner loop, which is what more columns add, and of everything. The prototypes that the
 * kernels were designed by took 0.30 and 0.34 on a Cortex-A72 and, in tiles of 16 channels, 0.077 and 0.098 on a Cortex-A76, without zero points and results in floating
 * point. Spilled accumulators would cost half as much again.
 */
const MOST = { 'cortex-a53': 0.27, 'cortex-a72': 0.27, 'cortex-a76': 0.095 } as const;

for (const [core, most] of Object.entries(MOST)) {
  const name = `instructions of a product on ${core}`;
  test(name, async () => {
    if (missing) return skip(name, `no ${missing}`);
    const { flags, defines } = raspberryPiTarget.variants.find((v) => v.id === core)!;
    const emulator = await Emulator.open();
    const count = (columns: number): Promise<number> =>
      emulator.countInstructions(stepProgram(columns), core, [...flags, ...defines.map((d) => `-D${d}`)], 'ew_step_0');
    const [few, many] = [await count(96), await count(192)];
    await emulator.close();
    const perMac = (n: number): number => n / (PIXELS * CHANNELS * 96);
    console.log(
      `${core}: ${perMac(many - few).toFixed(3)} instructions a MAC in the loop, ${perMac(few).toFixed(3)} in all`,
    );
    assert.ok(perMac(many - few) <= most, `${perMac(many - few)} instructions a multiply-accumulate`);
  });
}

test.run();
