import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { eventText, summaryText } from '../../../sdk/cli/rollout-text.ts';

const failed = {
  state: 'FAILED',
  code: 'EW7005_GATE_FAILED',
  reason: '95 % of inferences take up to 12.00 ms',
} as const;

test('what did not go well is said with its reason', () => {
  const text = summaryText({
    ...{ id: 'kws@2', phase: 'FAILED', wave: 'canary', reason: 'too many', waves: [], comparisons: [] },
    failures: [
      { device: 'cam-1', ...failed },
      { device: 'cam-2', state: 'STALLED' },
    ],
  });
  assert.equal(text.split('\n'), [
    'kws@2: FAILED, too many',
    'cam-1: FAILED (EW7005_GATE_FAILED): 95 % of inferences take up to 12.00 ms',
    'cam-2: STALLED',
  ]);
  const decision = { kind: 'outcome', device: 'cam-1', attempt: 1, ...failed } as const;
  assert.is(
    eventText({ n: 1, at: 0, decision }),
    '00:00:00  cam-1 FAILED (EW7005_GATE_FAILED): 95 % of inferences take up to 12.00 ms',
  );
});

test('words of a device are no orders to a terminal', () => {
  const decision = {
    kind: 'outcome',
    device: 'cam-1',
    attempt: 1,
    state: 'FAILED',
    reason: '\u001b[2Jgone\r\n',
  } as const;
  assert.is(eventText({ n: 1, at: 0, decision }), '00:00:00  cam-1 FAILED: ?[2Jgone??');
});

test.run();
