import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Turns } from '../../../sdk/transport/turns.ts';

const codeOf = (e: { code?: string }): string => e.code ?? String(e);

test('so many work at a time, in the order in which they came, and some wait', async () => {
  const turns = new Turns(2, 3);
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => async (): Promise<string> => {
    log.push(name);
    await new Promise<void>((resolve) => ends.push(resolve));
    return name;
  };
  const all = ['a', 'b', 'c', 'd', 'e'].map((name) => turns.take(work(name)));
  assert.is(await turns.take(work('f')).catch(codeOf), 'EW7102_LINK_FULL');
  assert.equal(log, ['a', 'b']);
  while (ends.length > 0) {
    ends.shift()!();
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(await Promise.all(all), ['a', 'b', 'c', 'd', 'e']);
  assert.equal(log, ['a', 'b', 'c', 'd', 'e']);
});

test('what fails makes room, and a lower limit holds from the next turn on', async () => {
  const turns = new Turns(2, 3);
  const fails = turns.take(async () => Promise.reject(new Error('x')));
  assert.is(await fails.catch((e) => e.message), 'x');
  turns.atATime = 1;
  let working = 0;
  let most = 0;
  const all = Array.from({ length: 3 }, () =>
    turns.take(async () => {
      most = Math.max(most, ++working);
      await new Promise((resolve) => setImmediate(resolve));
      working--;
    }),
  );
  await Promise.all(all);
  assert.is(most, 1);
});

test.run();
