import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { InterruptibleSource } from '../../../../sdk/device/service/interrupt.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { Bench, versionOf } from '../../../support/agent-bench.ts';
import { assign } from '../../../support/versions.ts';

test('a fetch that is interrupted while it waits is no failure, and goes on later', async () => {
  const bench = new Bench();
  const whole = bench.source;
  let waits = true;
  let closed = 0;
  const source = new InterruptibleSource({
    fetch: async function* (blob, pieces) {
      try {
        for await (const piece of whole.fetch(blob, pieces)) {
          yield piece;
          if (waits && piece.index === 2) await new Promise(() => undefined);
        }
      } finally {
        closed++;
      }
    },
  });
  const agent = await bench.start(new CrashFileSystem(), { source });
  await agent.step(assign(1));
  await agent.step(assign(1));
  const fetching = agent.step(assign(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  source.interrupt();
  const { step, ended, reason } = await fetching;
  assert.equal([step.name, ended, reason], ['FETCH', 'waiting', 'interrupted']);
  waits = false;
  await agent.advance(assign(1));
  assert.is(await versionOf(agent), 1);
  assert.is(closed, 1);
  assert.equal(bench.outcomes, []);
});

test.run();
