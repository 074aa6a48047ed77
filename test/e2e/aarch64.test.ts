// timeout: 600
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileGraph } from '../../sdk/compile/index.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/index.ts';
import { bytesOf, type Tensor } from '../../sdk/util/tensor.ts';
import { raspberryPiTarget } from '../../targets/aarch64/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { conformanceGraph } from '../support/conformance-graph.ts';
import { Emulator, missingTools } from '../support/emulator.ts';

/** Kernels for 64-bit Arm, run by an emulator of the core they are for, give the bits that WebAssembly gives. */
const missing = missingTools();
const { graph, inputs } = conformanceGraph();

/** Cores that are emulated as such; qemu has none of Jetson Orin's, whose instructions are those of a Cortex-A76. */
const AS = { 'cortex-a78ae': 'cortex-a76' } as Readonly<Record<string, string>>;

const same = (a: Tensor, b: Tensor): boolean => Buffer.from(bytesOf(a.data)).equals(Buffer.from(bytesOf(b.data)));

async function expected(): Promise<Record<string, Tensor>> {
  const { program, modules, ...rest } = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
  const engine = await WasmEngine.load(program, modules, residentBlock({ program, ...rest }));
  const outputs = engine.run(inputs);
  engine.close();
  return outputs;
}

for (const target of [raspberryPiTarget]) {
  for (const { id } of target.variants) {
    const name = `every operator: ${target.id} ${id}`;
    test(name, async () => {
      if (missing) return skip(name, `no ${missing}`);
      const want = await expected();
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
    });
  }
}

test.run();
