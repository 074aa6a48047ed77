import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatBytes, formatRatio, formatSeconds, table } from '../../../sdk/cli/format.ts';
import { barProgress, lineProgress } from '../../../sdk/cli/progress.ts';

test('sizes and times in three digits', () => {
  assert.equal([0, 999, 1000, 43_120, 999_499, 999_500, 1_920_000].map(formatBytes), [
    '0 B',
    '999 B',
    '1.00 kB',
    '43.1 kB',
    '999 kB',
    '1.00 MB',
    '1.92 MB',
  ]);
  assert.equal([0.00085, 0.0021, 1.35, 125].map(formatSeconds), ['850 us', '2.10 ms', '1.35 s', '2 min 05 s']);
  assert.is(formatRatio(7.996), '8.00x');
});

test('tables align and have no trailing blanks', () => {
  assert.is(
    table(
      [
        ['name', 'bytes'],
        ['a', '12'],
        ['long name', '1'],
      ],
      [1],
    ),
    'name       bytes\na             12\nlong name      1',
  );
});

test('plain progress: one line for each further tenth, none for stages that are over at once', () => {
  let text = '';
  let now = 0;
  const write = (t: string): void => {
    text += t;
  };
  const sink = lineProgress(write, () => now);
  for (let done = 0; done <= 100; done++) {
    now = done / 10;
    sink.report({ stage: 'fold', done, total: 100 });
  }
  sink.report({ stage: 'gate', done: 1, total: 1 });
  assert.is(text.split('\n').length - 1, 11);
  assert.match(text, 'fold 100 %  10.0 s\n');
});

test('the bar says how long is left and is cleared', () => {
  let text = '';
  let now = 0;
  const sink = barProgress(
    (t) => {
      text = t;
    },
    () => now,
  );
  sink.report({ stage: 'fold', done: 0, total: 100 });
  now = 10;
  sink.report({ stage: 'fold', done: 25, total: 100, note: 'conv1' });
  assert.is(text, `\r\u001b[K${'fold'.padEnd(12)} [######..................]  25 %  30.0 s left  conv1`);
  sink.close();
  assert.is(text, '\r\u001b[K');
});

test.run();
