import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { apartKeeper } from '../../../../sdk/device/engine/apart.ts';
import { skip } from '../../../../sdk/testing/skip.ts';

/** How many processors a thread may run on. */
function processorsOf(thread: number): number {
  const [, mask] = /^Cpus_allowed:\t(.*)$/m.exec(readFileSync(`/proc/self/task/${thread}/status`, 'utf8'))!;
  return [...BigInt(`0x${mask!.replaceAll(',', '')}`).toString(2)].filter((bit) => bit === '1').length;
}

test('threads run on any processor but that of the caller, which may run on all', async () => {
  const keepApart = await apartKeeper();
  const all = keepApart ? processorsOf(process.pid) : 0;
  if (!keepApart) return skip('threads apart', 'no Linux, or no koffi');
  const worker = new Worker(
    `const { parentPort: port } = require('node:worker_threads');
    port.postMessage(Number(require('node:fs').readlinkSync('/proc/thread-self').split('/')[2]));
    port.on('message', () => port.close());`,
    { eval: true, execArgv: [] },
  );
  const [number] = (await once(worker, 'message')) as [number];
  try {
    assert.is(processorsOf(number), all);
    keepApart([0, number]);
    assert.is(processorsOf(number), Math.max(1, all - 1));
    assert.is(processorsOf(process.pid), all);
  } finally {
    worker.postMessage('end');
    await once(worker, 'exit');
  }
});

test.run();
