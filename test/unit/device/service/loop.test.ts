import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Taken } from '../../../../sdk/device/agent/agent.ts';
import { Loop, restAfter } from '../../../../sdk/device/service/loop.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import type { Assignment } from '../../../../sdk/wire/assignment.ts';
import { Bench, versionOf } from '../../../support/agent-bench.ts';
import { assign } from '../../../support/versions.ts';

/** A device whose time passes as it sleeps. */
async function device(assignments: (bench: Bench, asked: number) => Assignment | undefined) {
  const bench = new Bench();
  const agent = await bench.start(new CrashFileSystem());
  const stop = new AbortController();
  const taken: string[] = [];
  const sleeps: number[] = [];
  const lines: string[] = [];
  let asked = 0;
  const loop: Loop = new Loop({
    kind: 'model',
    agent,
    director: { assignment: async () => assignments(bench, ++asked) },
    clock: {
      now: () => bench.now,
      monotonic: () => bench.now,
      after(milliseconds, call) {
        sleeps.push(milliseconds);
        bench.now += milliseconds;
        if (bench.now > 2_000_000) stop.abort();
        const turn = setImmediate(call);
        return () => clearImmediate(turn);
      },
    },
    log: (level, event, fields) => lines.push([level, event, fields?.step, fields?.ended].join(' ').trim()),
    random: () => 0.5,
    exchangeMilliseconds: 60_000,
    taken: ({ step }: Taken) => taken.push(step.name),
  });
  return { bench, agent, loop, stop, taken, sleeps, lines, asked: () => asked };
}

test('installs what is assigned and looks for more once a minute', async () => {
  const { agent, loop, stop, taken, sleeps, lines, asked } = await device((_, n) => assign(n < 3 ? 1 : 2));
  await loop.run(stop.signal);
  assert.is(await versionOf(agent), 2);
  assert.equal(taken.slice(0, 7), ['CHECK', 'PREFLIGHT', 'FETCH', 'VERIFY', 'LOAD', 'GATE', 'SWAP']);
  assert.ok(sleeps.every((s) => s > 0 && s <= 60_000));
  assert.is(asked(), Math.ceil(1_000_000 / 60_000));
  assert.is(lines.filter((l) => l === 'info step IDLE done').length, 2, 'said once');
});

test('a director that cannot be asked leaves what was assigned', async () => {
  const { agent, loop, stop, lines } = await device((_, n) => {
    if (n === 1) return assign(1);
    throw new Error('no network');
  });
  await loop.run(stop.signal);
  assert.is(await versionOf(agent), 1);
  assert.ok(lines.includes('warn exchange-failed'));
});

test('how long it rests', () => {
  const taken = (step: object, ended = 'done') => ({ step, ended }) as Taken;
  assert.is(restAfter(taken({ name: 'IDLE' }), 5), Number.POSITIVE_INFINITY);
  assert.is(restAfter(taken({ name: 'IDLE', until: 9 }), 5), 4);
  assert.is(restAfter(taken({ name: 'PROBATION', milliseconds: 5000 }, 'waiting'), 5), 1000);
  assert.is(restAfter(taken({ name: 'FETCH' }), 5), 0);
  assert.is(restAfter(taken({ name: 'COMMIT' }, 'failed'), 5), 1000);
});

test.run();
