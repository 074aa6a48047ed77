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
process.on('SIGTERM', () => { fs.appendFileSync(process.argv[1], ' ended'); process.exit(0); });
`;

test('what ends is started again, what hangs is ended, SIGTERM is passed on', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-supervise-'));
  const count = join(folder, 'count');
  const stop = new AbortController();
  const ends: unknown[] = [];
  let waited = 0;
  // Waits between two starts are short here; silence is as it is.
  const clock = {
    ...systemClock,
    after: (milliseconds: number, call: () => void) => systemClock.after(milliseconds === SILENCE ? SILENCE : 1, call),
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
    while (starts(count) < 3 && waited++ < 2000) await new Promise((resolve) => setTimeout(resolve, 10));
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

/** More than a program takes to start on a busy machine. */
const SILENCE = 1500;

function starts(file: string): number {
  try {
    return readFileSync(file).length;
  } catch {
    return 0;
  }
}

test.run();
