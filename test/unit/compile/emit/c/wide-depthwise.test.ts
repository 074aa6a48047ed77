import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planProgram } from '../../../../../sdk/compile/index.ts';
import { GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import { opOf } from '../../../../../sdk/ir/ops/index.ts';
import { sample, sampleInts } from '../../../../../sdk/ir/ops/lib/cases.ts';
import { tensor } from '../../../../../sdk/util/tensor.ts';
import { hostTarget } from '../../../../../targets/host/index.ts';

/** Kernel for AVX-512 of a depthwise convolution 5x5 of an image of so many lines and channels. */
function kernelOf(lines: number, channels: number): string {
  const b = new GraphBuilder('depthwise');
  const inputs = [
    b.input('x', { dtype: 'i8', shape: [1, lines, 9, channels] }),
    b.constant('w', sampleInts('i8', [channels, 5, 5, 1], -8, 8, 2), { kind: 'codes', bits: 4 }),
    b.constant('m', sample([channels], 3, 0.001, 0.01), { kind: 'f16' }),
    b.constant('b', sample([channels], 4)),
    b.constant('zp', tensor('i32', [1], [3])),
  ];
  const attrs = { strides: [1, 1], pads: [2, 2, 2, 2], dilations: [1, 1], groups: channels };
  const types = opOf('QConv').infer(
    inputs.map((v) => b.values.get(v)!.type),
    attrs,
  );
  b.node({ name: 'y', op: 'QConv', inputs, outputs: ['y'], attrs }, types);
  b.outputs.push('y');
  const { source } = planProgram(b.build(), hostTarget.variants.find((v) => v.id === 'avx512vnni')!.vectors!);
  return source.slice(source.indexOf('static void k0('));
}

test('lines outside the image are left out where they are many', () => {
  // Two rows of results meet six lines, four of which are padding.
  const low = kernelOf(2, 16);
  assert.match(low, /if \(outside\) continue;/);
  assert.is(low.match(/if \(in\d+\) \{/g)?.length, 6);
  assert.not.match(kernelOf(64, 16), /if \(in\d+\) \{|if \(outside\) continue;/);
});

test.run();
