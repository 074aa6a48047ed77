import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readOutput } from '../../../sdk/cli/outputs.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';

test('the ending of an output says what is in it', () => {
  const read = readOutput('.ewb');
  assert.is(read('out/model.ewb', '--out'), 'out/model.ewb');
  for (const text of ['model.onnx', 'model', '.ewb', ''])
    assert.throws(
      () => read(text, '--out'),
      (e: unknown) => isEigenError(e) && e.code === 'EW1001_USAGE' && e.message.includes('ends in .ewb'),
    );
});

test.run();
