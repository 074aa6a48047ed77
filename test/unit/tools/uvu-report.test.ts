import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { closingLine, FILE_MARK, outputsByFile, reportOf, timeoutOf } from '../../../tools/lib/uvu-report.ts';

const summary = (total: number, passed: number, skipped = 0): string =>
  `• • \u001b[32m  (${passed} / ${total})\u001b[39m\n\n  Total:     ${total}\n  Passed:    ${passed}\n  Skipped:   ${skipped}\n  Duration:  1.00ms\n\n`;
const end = (output: string, exitCode: number | null = 0, timedOut = false) => ({ output, exitCode, timedOut });

test('counts a passing file', () => {
  assert.equal(reportOf(end(summary(3, 3))), { passed: 3, failed: 0, skips: [] });
});

test('counts failures one by one', () => {
  const r = reportOf(end(`${summary(3, 1)}\n  \u001b[1m FAIL \u001b[22m "name"\n    what\n`, 1));
  assert.is(r.passed, 1);
  assert.is(r.failed, 2);
  assert.is(r.problem, undefined);
});

test('a failure without a word is said to be an error that uvu cannot print', () => {
  const r = reportOf(end(summary(3, 1), 1));
  assert.equal([r.passed, r.failed], [1, 2]);
  assert.match(r.problem!, /cannot print/);
});

test('a named skip is not a pass', () => {
  const r = reportOf(end(`• \n# skip arm64 run: no qemu-aarch64\n• ${summary(2, 2)}`));
  assert.is(r.passed, 1);
  assert.equal(r.skips, [{ name: 'arm64 run', reason: 'no qemu-aarch64', unsupported: false }]);
});

test('an unsupported skip is told apart', () => {
  const r = reportOf(end(`\n# skip relaxed: Node 20 computes it wrongly [unsupported]\n${summary(1, 1)}`));
  assert.equal(r.skips, [{ name: 'relaxed', reason: 'Node 20 computes it wrongly', unsupported: true }]);
  assert.is(r.problem, undefined);
});

test('a forgotten test.only shows as skips', () => {
  assert.is(reportOf(end(summary(1, 1, 4))).skips.length, 4);
});

test('a file that ran nothing fails', () => {
  assert.is(reportOf(end('')).failed, 1);
  assert.is(reportOf(end(summary(0, 0))).problem, 'ran no test');
});

test('a file that dies after its tests passed fails', () => {
  assert.is(reportOf(end(summary(2, 2), 7)).problem, 'exit code 7');
  assert.is(reportOf(end(summary(2, 2), null)).problem, 'killed');
});

test('a time-out is a failure beside what ran', () => {
  const r = reportOf(end('• • ', null, true));
  assert.is(r.failed, 1);
  assert.is(r.problem, 'timed out');
});

test('the time limit is read from the first line only', () => {
  assert.is(timeoutOf('// timeout: 240\nimport x', 60), 240);
  assert.is(timeoutOf('import x\n// timeout: 240\n', 60), 60);
});

test('the closing line names skips only when there are', () => {
  assert.is(closingLine({ passed: 4, failed: 0, skipped: 0 }), '4 passed, 0 failed');
  assert.is(closingLine({ passed: 4, failed: 1, skipped: 2 }), '4 passed, 1 failed, 2 skipped');
});

test('output of several files in one process is told apart', () => {
  const outputs = outputsByFile(`noise\n\n${FILE_MARK}/a.test.ts\none\n${FILE_MARK}/b.test.ts\n${summary(2, 2)}`);
  assert.equal([...outputs.keys()], ['/a.test.ts', '/b.test.ts']);
  assert.is(reportOf(end(outputs.get('/a.test.ts')!)).problem, 'ran no test');
  assert.is(reportOf(end(outputs.get('/b.test.ts')!)).passed, 2);
});

test.run();
