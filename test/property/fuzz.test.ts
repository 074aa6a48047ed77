// timeout: 120
/** Some of the inputs of `npm run fuzz`. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { fuzz } from '../support/fuzz/target.ts';
import { FUZZ_TARGETS } from '../support/fuzz/targets.ts';

const INPUTS = 8000;

test('the shares of all targets are a whole', () => {
  assert.is(
    FUZZ_TARGETS.reduce((sum, t) => sum + t.share, 0),
    1000,
  );
});

for (const target of FUZZ_TARGETS)
  test(`${target.name}: any bytes are refused or taken for what they are`, async () => {
    const report = await fuzz(target, [0, (INPUTS * target.share) / 1000]);
    assert.ok(report.taken < report.inputs || target.name === 'entries of journals', 'nothing is refused');
  });

test.run();
