import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  readBudget,
  readBytes,
  readChoice,
  readCount,
  readDims,
  readMilliseconds,
  readSettings,
  readShare,
} from '../../../sdk/cli/values.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';

const usage = (f: () => unknown, text: string): void =>
  assert.throws(f, (e: unknown) => isEigenError(e) && e.code === 'EW1001_USAGE' && e.message.includes(text));

test('sizes', () => {
  assert.is(readBytes('350000', '--budget'), 350000);
  assert.is(readBytes('350kB', '--budget'), 350000);
  assert.is(readBytes('1.2MB', '--budget'), 1200000);
  assert.is(readBytes('64KiB', '--budget'), 65536);
  for (const text of ['', '0', '-1', '1.2 bananas', '1e6', 'MB']) usage(() => readBytes(text, '--budget'), '--budget');
});

test('times', () => {
  assert.equal(
    ['50', '50ms', '0.2s', '800us'].map((t) => readMilliseconds(t, '--max-latency')),
    [50, 50, 200, 0.8],
  );
  for (const text of ['', '0', '5min', 'fast']) usage(() => readMilliseconds(text, '--max-latency'), '--max-latency');
});

test('budgets', () => {
  assert.equal(readBudget('8x', '--budget'), { factor: 8 });
  assert.equal(readBudget('12.5x', '--budget'), { factor: 12.5 });
  assert.equal(readBudget('2MB', '--budget'), { bytes: 2000000 });
  usage(() => readBudget('0.5x', '--budget'), 'at least 1');
  usage(() => readBudget('8y', '--budget'), '8y');
  usage(() => readBudget('8', '--budget'), 'a factor, 8x');
  assert.equal(readBudget('1000', '--budget'), { bytes: 1000 });
});

test('dimensions and fixed inputs', () => {
  assert.equal(readDims(['w=320', 'N=1'], '--dim'), { w: 320, N: 1 });
  assert.equal(readSettings(['sr=16000', 'a=b=-0.5'], '--set'), { sr: 16000, 'a=b': -0.5 });
  for (const text of ['w', 'w=', '=3', 'w=0', 'w=x']) usage(() => readDims([text], '--dim'), text);
  usage(() => readSettings(['sr=high'], '--set'), 'sr=high');
});

test('numbers and choices', () => {
  assert.is(readCount('2', '--threads'), 2);
  usage(() => readCount('0', '--threads'), 'positive');
  assert.is(readShare('0.985', '--min-quality'), 0.985);
  usage(() => readShare('98.5', '--min-quality'), '0.985');
  assert.is(readChoice(['wasm', 'reference'])('wasm', '--engine'), 'wasm');
  usage(() => readChoice(['wasm', 'reference'])('cuda', '--engine'), 'wasm or reference');
});

test.run();
