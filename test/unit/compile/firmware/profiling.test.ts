import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { GraphBuilder } from '../../../../sdk/ir/graph.ts';
import { skip } from '../../../../sdk/testing/index.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';
import { FirmwareFolder, hostCompilers, libraryOf } from '../../../support/firmware.ts';

/** Two steps, one with a name that C would read as something else. */
const NAMES = ['a "quoted"??/ \\n name', 'softmax'];

function library(): Map<string, string> {
  const type = { dtype: 'f32', shape: [1, 2] } as const;
  const b = new GraphBuilder('two');
  const x = b.input('x', type);
  b.node(
    { name: NAMES[0]!, op: 'Reduce', inputs: [x], outputs: ['m'], attrs: { fn: 'max', axes: [1], keepdims: true } },
    [{ dtype: 'f32', shape: [1, 1] }],
  );
  b.node({ name: NAMES[1]!, op: 'Softmax', inputs: ['m'], outputs: ['y'], attrs: { axis: 1, log: false } }, [
    { dtype: 'f32', shape: [1, 1] },
  ]);
  b.outputs.push('y');
  return libraryOf(b.build(), { x: tensor('f32', [1, 2], [1, 2]) }, { y: tensor('f32', [1, 1], [1]) });
}

test('with profiling each step is told once it ended, without it nothing of it is there', async () => {
  const [compiler] = hostCompilers();
  if (!compiler) return skip('profiling of firmware', 'there is no C compiler (apt install gcc)');
  const folder = await FirmwareFolder.with(library());
  try {
    const said = await folder.runHere(compiler, ['-O1', '-DMODEL_PROFILE']);
    assert.equal(said.slice(0, 2), NAMES);
    assert.is(said.at(-1), 'right');
    const plain = await folder.runHere(compiler, ['-O1']);
    assert.equal(plain, said.slice(2));
  } finally {
    await folder.close();
  }
});

test.run();
