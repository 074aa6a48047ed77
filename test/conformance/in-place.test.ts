// timeout: 480
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { planFirmware } from '../../sdk/compile/index.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { bytesOf } from '../../sdk/util/tensor.ts';
import { engineCases } from '../support/engines.ts';
import { FirmwareFolder, hostCompilers, libraryOf } from '../support/firmware.ts';
import { inPlaceGraph } from '../support/in-place-graph.ts';

/** Depthwise convolutions that write over their images give the bits of the operator, on every engine and as firmware. */
const { graph, inputs, expected, misplaced } = inPlaceGraph();

for (const { name: engine, compiled, load } of await engineCases(graph)) {
  test(`${engine}: every layer is in place`, () => assert.equal(misplaced(compiled.program), []));
  for (const threads of [1, 2, 4]) {
    test(`${engine}, ${threads} threads`, async () => {
      const e = await load(threads);
      const outputs = e.run(inputs);
      e.close();
      for (const [name, want] of Object.entries(expected)) {
        const [a, b] = [bytesOf(outputs[name]!.data), bytesOf(want.data)];
        if (Buffer.compare(a, b) === 0) continue;
        const at = b.findIndex((byte, i) => byte !== a[i]);
        assert.unreachable(`${name}, byte ${at}: got ${a[at]}, expected ${b[at]}`);
      }
    });
  }
}

test('firmware', async () => {
  const [compiler] = hostCompilers();
  if (!compiler) return skip('layers in place as firmware', 'there is no C compiler (apt install gcc)');
  const small = inPlaceGraph(25_000);
  assert.equal(small.misplaced(planFirmware(small.graph).program), []);
  const folder = await FirmwareFolder.with(libraryOf(small.graph, small.inputs, small.expected));
  try {
    assert.is((await folder.runHere(compiler, ['-O1'])).at(-1), 'right');
  } finally {
    await folder.close();
  }
});

test.run();
