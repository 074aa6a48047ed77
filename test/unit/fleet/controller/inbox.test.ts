import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Inbox } from '../../../../sdk/fleet/controller/inbox.ts';
import type { Heard } from '../../../../sdk/fleet/registry/change.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { birth } from '../../../support/fleet/messages.ts';

const heard = (n: number): Heard => birth(`d${n}`, 1);

test('messages are written in batches, in order, and none twice', async () => {
  const clock = new SimulatedClock();
  const batches: string[][] = [];
  const inbox = new Inbox(clock, async (batch) => void batches.push(batch.map((h) => h.device)));
  for (const n of [1, 2, 3]) inbox.add(heard(n));
  await clock.pass(1000);
  inbox.add(heard(4));
  await clock.pass(1000);
  assert.equal(batches, [['d1', 'd2', 'd3'], ['d4']]);
});

test('what could not be written is tried again before what came later', async () => {
  const clock = new SimulatedClock();
  const written: string[] = [];
  let away = true;
  const inbox = new Inbox(clock, async (batch) => {
    if (away) throw new Error('the database is away');
    written.push(...batch.map((h) => h.device));
  });
  inbox.add(heard(1));
  await clock.pass(1000);
  inbox.add(heard(2));
  await clock.pass(1000);
  assert.equal([written, inbox.size], [[], 2]);
  away = false;
  inbox.retry();
  await clock.pass(1000);
  assert.equal([written, inbox.size], [['d1', 'd2'], 0]);
});

test('too many wait: the oldest go', async () => {
  const clock = new SimulatedClock();
  const written: string[] = [];
  const inbox = new Inbox(clock, async (batch) => void written.push(...batch.map((h) => h.device)));
  const one = heard(0);
  for (let n = 0; n < 50_003; n++) inbox.add(n < 5 ? heard(n) : one);
  assert.is(inbox.dropped, 3);
  await inbox.close();
  assert.equal(written.slice(0, 3), ['d3', 'd4', 'd0']);
});

test.run();
