// timeout: 240
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../sdk/testing/index.ts';
import { sha256OfTensor } from '../../sdk/util/hash.ts';
import { WITHOUT_COMPILER } from '../support/compilers.ts';
import { conformanceGraph } from '../support/conformance-graph.ts';
import { FirmwareFolder, hostCompilers, libraryOf, onWasm } from '../support/firmware.ts';

/** Every case of every operator as a C library, by the compiler that is here, against the WebAssembly engine: bit for bit. */
const { graph, inputs, placed } = conformanceGraph();

test('every operator as firmware, whatever the compiler is told about floats', async () => {
  const [compiler] = hostCompilers();
  if (!compiler) return skip('operators as firmware', WITHOUT_COMPILER);
  const outputs = await onWasm(graph, inputs);
  const folder = await FirmwareFolder.with(libraryOf(graph, inputs, outputs));
  try {
    const flags = ['-O1', '-ffp-contract=fast', '-fstrict-aliasing'];
    const said = await folder.runHere(compiler, flags).catch((e: Error) => e.message.split('\n'));
    const wrong = placed.flatMap((p) =>
      p.outputs
        .filter((o) => !said.includes(sha256OfTensor(outputs[o]!)))
        .map((o) => `${p.op.name}, ${p.opCase.name}: ${o}`),
    );
    assert.equal(wrong, [], said[0] ?? '');
    assert.is(said.at(-1), 'right');
  } finally {
    await folder.close();
  }
});

test.run();
