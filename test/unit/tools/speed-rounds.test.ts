import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Turn } from '../../../tools/speed/protocol.ts';
import { type Taker, takeRounds } from '../../../tools/speed/rounds.ts';

const quiet = (seconds: number): Turn => ({ seconds, calibration: 1e-3, share: 1 });

/** Gives the turns of a list one after another, the last one for ever. */
function taker(id: string, turns: readonly Turn[], order: string[] = []): Taker {
  let at = 0;
  return {
    id,
    turn: async () => {
      order.push(id);
      return turns[Math.min(at++, turns.length - 1)]!;
    },
  };
}

test('everybody has a turn in every round, each time behind another one', async () => {
  const order: string[] = [];
  const takers = ['a', 'b', 'c'].map((id) => taker(id, [quiet(1)], order));
  const { seconds, kept, dropped, repeated } = await takeRounds(takers, { rounds: 3, turnMs: 1 });
  assert.is(order.join(''), 'abcbcacab');
  assert.equal([kept, dropped, repeated], [3, 0, 0]);
  assert.equal(seconds.b, [1, 1, 1]);
});

test('all turns of a round are taken on one processor, those that are taken again, too', async () => {
  const seen: (number | undefined)[] = [];
  const on = (turns: readonly Turn[]): Taker => {
    const { turn } = taker('', turns);
    return {
      id: '',
      turn: (ms, processor) => {
        seen.push(processor);
        return turn(ms);
      },
    };
  };
  const takers = [on([quiet(1)]), on([quiet(1), { ...quiet(9), share: 0.5 }, quiet(1)])];
  await takeRounds(takers, { rounds: 3, turnMs: 1, placeOf: async (round) => [4, 7, undefined][round] });
  assert.equal(seen, [4, 4, 7, 7, 7, undefined, undefined]);
});

test('a turn during which another process had the core, or the clock was slow, is taken again', async () => {
  const turns = [quiet(1), { ...quiet(9), share: 0.5 }, quiet(2), { ...quiet(9), calibration: 2e-3 }, quiet(3)];
  const rounds = await takeRounds([taker('a', turns)], { rounds: 3, turnMs: 1 });
  assert.equal(rounds.seconds.a, [1, 2, 3]);
  assert.is(rounds.repeated, 2);
});

test('a round with a turn that was disturbed every time is dropped for all', async () => {
  const bad = { ...quiet(9), share: 0.5 };
  const disturbed = taker('a', [quiet(1), bad, bad, bad, quiet(3)]);
  const rounds = await takeRounds([disturbed, taker('b', [quiet(5)])], { rounds: 3, turnMs: 1 });
  assert.equal(rounds.seconds.a, [1, 3, 3]);
  assert.equal(rounds.seconds.b, [5, 5, 5]);
  assert.is(rounds.dropped, 1);
});

test('a round that is disturbed by what its takers took together is dropped, and others begun', async () => {
  const takers = [taker('a', [quiet(4), quiet(6)]), taker('b', [quiet(4), quiet(3)])];
  const noiseOf = ([a, b]: readonly number[]): number => (1.7 * b!) / a!;
  const rounds = await takeRounds(takers, { rounds: 2, turnMs: 1, noiseOf });
  assert.equal(rounds.seconds, { a: [6, 6], b: [3, 3] });
  assert.is(rounds.dropped, 1);
  const never = await takeRounds([taker('a', [quiet(4)]), taker('b', [quiet(4)])], { rounds: 2, turnMs: 1, noiseOf });
  assert.is(never.kept + never.dropped, 4);
});

test('on a machine that never rests the quietest rounds count', async () => {
  const shares = [0.5, 0.6, 0.8, 0.7, 0.4, 0.3, 0.2, 0.1];
  // Three tries a turn.
  const turns = shares.flatMap((share, i) => [0, 1, 2].map(() => ({ ...quiet(i), share })));
  const rounds = await takeRounds([taker('a', turns)], { rounds: 4, turnMs: 1 });
  assert.equal(rounds.seconds.a, [2, 3]);
  assert.equal([rounds.kept, rounds.dropped], [2, 6]);
});

test.run();
