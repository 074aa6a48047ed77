import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder, type Node } from '../../../../../sdk/ir/graph.ts';
import { opOf } from '../../../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { tensor } from '../../../../../sdk/util/tensor.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';

/** Pointwise convolutions of 16 channels one after another, quantized in between: code i8 [1,4,4,16]. */
function chain(length: number): string {
  const b = new GraphBuilder('chain');
  const add = (name: string, op: string, inputs: readonly string[], attrs: Node['attrs']): string => {
    const types = opOf(op).infer(
      inputs.map((v) => b.values.get(v)!.type),
      attrs,
    );
    b.node({ name, op, inputs: [...inputs], outputs: [name], attrs }, types);
    return name;
  };
  let x = b.input('x', { dtype: 'i8', shape: [1, 4, 4, 16] });
  for (let i = 0; i < length; i++) {
    const own = (name: string): string => `${name}${i}`;
    const w = b.constant(own('w'), sampleInts('i8', [16, 1, 1, 16], -7, 7, 2 + i), { kind: 'codes', bits: 4 });
    const [m, bias] = [b.constant(own('m'), sample([16], 30 + i)), b.constant(own('b'), sample([16], 40 + i))];
    const zero = b.constant(own('zero'), tensor('i32', [1], [3 + i]));
    const sums = { strides: [1, 1], pads: [0, 0, 0, 0], dilations: [1, 1], groups: 1 };
    const y = add(own('sums'), 'QConv', [x, w, m, bias, zero], sums);
    const step = b.constant(own('step'), tensor('f32', [1], [20 + i]));
    x = add(own('codes'), 'Quantize', [y, step, zero], { to: 'i8' });
  }
  b.outputs.push(x);
  return planProgram(b.build(), wasmTarget.vectors).source;
}

const kernels = (source: string): number => source.match(/^static void k\d+\(/gm)!.length;
const steps = (source: string): number => source.match(/^void ew_step_\d+\(/gm)!.length;

test('layers of one shape share a kernel, whatever their values are called', () => {
  const source = chain(3);
  assert.is(steps(source), 3);
  assert.is(kernels(source), 1);
});

test.run();
