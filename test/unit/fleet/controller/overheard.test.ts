import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Overheard, type Said } from '../../../../sdk/fleet/controller/overheard.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';

const said = (device: string, shard: string): Said => ({
  ...{ device, shard, channel: 'up', at: 5 },
  payload: Uint8Array.of(1, 2, 3),
});

const names = (all: readonly Said[]): string[] => all.map((s) => s.device);

test('who takes a shard gets what was said in it, in order and once', () => {
  const overheard = new Overheard(new SimulatedClock());
  overheard.add(said('a', '0'));
  overheard.add(said('b', '1'));
  overheard.add(said('c', '0'));
  overheard.add(said('d', '2'));
  assert.equal(names(overheard.take(new Set(['0', '2']))), ['a', 'c', 'd']);
  assert.equal(names(overheard.take(new Set(['0', '1', '2']))), ['b']);
});

test('messages are as they came, whatever becomes of their buffer', () => {
  const overheard = new Overheard(new SimulatedClock());
  const message = said('a', '0');
  overheard.add(message);
  message.payload.fill(9);
  assert.equal(overheard.take(new Set(['0']))[0]?.payload, Uint8Array.of(1, 2, 3));
});

test('old ones are forgotten, and the oldest of too many', async () => {
  const clock = new SimulatedClock();
  const overheard = new Overheard(clock);
  overheard.add(said('old', '0'));
  await clock.pass(29_000);
  overheard.add(said('young', '0'));
  await clock.pass(2000);
  assert.equal(names(overheard.take(new Set(['0']))), ['young']);
  for (let n = 0; n < 40_001; n++) overheard.add(said(`d${n}`, '0'));
  const kept = names(overheard.take(new Set(['0'])));
  assert.equal([kept.length, kept[0], kept.at(-1)], [20_000, 'd20001', 'd40000']);
});

test.run();
