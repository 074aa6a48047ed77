import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { codeBytes } from '../../../../sdk/compile/firmware/size.ts';
import { fitFirmware } from '../../../../sdk/compile/fit.ts';
import { planFirmware } from '../../../../sdk/compile/index.ts';
import { loadProfile } from '../../../../sdk/compile/profile.ts';
import { GraphBuilder } from '../../../../sdk/ir/graph.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';

const pico = loadProfile('raspberry-pi-pico-2');
const micro = loadProfile('coral-dev-board-micro');

/** A dense layer of floats. */
function dense(rows: number) {
  const b = new GraphBuilder('dense');
  const x = b.input('x', { dtype: 'f32', shape: [1, 16] });
  const w = b.constant('w', tensor('f32', [rows, 16]));
  b.node({ name: 'fc', op: 'Linear', inputs: [x, w], outputs: ['y'], attrs: {} }, [{ dtype: 'f32', shape: [1, rows] }]);
  b.outputs.push('y');
  return planFirmware(b.build());
}

test('fit of firmware: constants and static memory as they are, code and stack as bounds', () => {
  const planned = dense(8);
  const { arenaBytes, scratchBytes, weightBytes } = planned.program;
  const fit = fitFirmware(planned, pico);
  const need = (limit: string) => fit.checks.find((c) => c.limit === limit)!.need.value;
  assert.is(fit.runtime, 'firmware');
  assert.is(fit.fits, true);
  assert.equal(
    fit.ram.map((r) => [r.part, r.bytes.origin]),
    [
      ['arena', 'exact'],
      ['stack', 'estimated'],
    ],
  );
  assert.is(fit.ram[0]!.bytes.value, arenaBytes + scratchBytes);
  assert.is(need('storage'), weightBytes + codeBytes(planned));
});

test('a board that does not execute in place holds constants in RAM', () => {
  const planned = dense(8);
  const fit = fitFirmware(planned, micro);
  assert.ok(fit.ram.some((r) => r.part === 'weights' && r.bytes.value === planned.program.weightBytes));
});

test('too many constants for the flash name the layer', () => {
  const fit = fitFirmware(dense(70_000), pico);
  assert.is(fit.fits, false);
  assert.is(fit.checks.find((c) => c.limit === 'storage')!.at!.layer, 'w');
});

test.run();
