import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { supervise } from '../../../../sdk/device/service/supervise.ts';
import { systemClock } from '../../../../sdk/util/clock.ts';

/** Its starts are counted in a file: the first ends, the second hangs, the third lives until it is told to end. */
const PROGRAM = `
const fs = require('node:fs');
fs.appendFileSync(process.argv[1], 'x');
const start = fs.readFileSync(process.argv[1]).length;
if (start === 1) process.exit(3);
process.send('ready');
if (start === 2) for (;;);
setInterval(() => process.send('alive'), 5);
`;

test('what ends is started again, what hangs is ended, SIGTERM is passed on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-supervise-'));
  const count = join(folder, 'count');
  const stop = new AbortController();
  const ends: unknown[] = [];
  let [waited, silent] = [0, false];
  // Nothing is waited for but programs: silence is long when the test says so.
  let silence = (): void => undefined;
  const clock = {
    ...systemClock,
    after: (milliseconds: number, call: () => void) => {
      if (milliseconds !== SILENCE) return systemClock.after(1, call);
      silence = call;
      return () => {
        silence = () => undefined;
      };
    },
  };
  try {
    const running = supervise(
      {
        words: [process.execPath, '-e', PROGRAM, count],
        clock,
        log: (_level, event, { code, signal, hung } = {}) => ends.push([event, code, signal, hung]),
        silenceMilliseconds: SILENCE,
      },
      stop.signal,
    );
    while (starts(count) < 3 && waited++ < 4000) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (starts(count) === 2 && ends.length === 1 && !silent) {
        silent = true;
        silence();
      }
    }
    stop.abort();
    await running;
    assert.equal(ends, [
      ['agent-ended', 3, null, false],
      ['agent-ended', null, 'SIGKILL', true],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const SILENCE = 3_600_000;

function starts(file: string): number {
  try {
    return readFileSync(file).length;
  } catch {
    return 0;
  }
}

test.run();
