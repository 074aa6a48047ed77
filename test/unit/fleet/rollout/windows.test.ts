import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isOpen } from '../../../../sdk/fleet/rollout/windows.ts';

const at = (text: string): number => Date.parse(`${text}Z`);
const every = { offsetMinutes: 0 };

test('windows of a day, over midnight, on days of the week', () => {
  assert.ok(isOpen([], 0));
  const day = [{ ...every, from: '02:00', to: '04:30' }];
  assert.equal(
    ['2026-11-26T01:59', '2026-11-26T02:00', '2026-11-26T04:29', '2026-11-26T04:30'].map((t) => isOpen(day, at(t))),
    [false, true, true, false],
  );
  // Saturday night, which ends on Sunday; 2026-11-28 is a Saturday.
  const night = [{ ...every, days: [6], from: '22:00', to: '03:00' }];
  assert.equal(
    ['2026-11-28T02:00', '2026-11-28T22:00', '2026-11-29T02:59', '2026-11-29T22:30'].map((t) => isOpen(night, at(t))),
    [false, true, true, false],
  );
  assert.ok(isOpen([...day, ...night], at('2026-11-26T03:00')));
});

test('windows are read on a clock of their own', () => {
  const berlin = [{ days: [5], from: '00:30', to: '01:00', offsetMinutes: 60 }];
  // Thursday 23:45 in Greenwich is Friday 00:45.
  assert.ok(isOpen(berlin, at('2026-11-26T23:45')));
  assert.not(isOpen(berlin, at('2026-11-27T00:45')));
});

test.run();
