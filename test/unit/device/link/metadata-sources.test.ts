import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { transportMetadata } from '../../../../sdk/device/link/index.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { noise } from '../../../support/link.ts';
import { LinkBench } from '../../../support/link-bench.ts';

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (e) => (isEigenError(e) ? e.code : String(e)),
  );

test('files of any size, by version and the newest, or none', async () => {
  const bench = new LinkBench({ latency: 20 });
  await bench.serve();
  const source = transportMetadata(bench.parts);
  for (const size of [1, 61_440, 61_441, 300_000]) {
    bench.blobs.addMetadata('targets', size, noise(size, size));
    for (const version of [size, undefined]) {
      const bytes = await bench.clock.run(source.fetch('targets', version, 300_000));
      assert.is(Buffer.compare(bytes!, noise(size, size)), 0);
    }
  }
  assert.is(await bench.clock.run(source.fetch('targets', 99, 1000)), undefined);
  assert.is(await bench.clock.run(source.fetch('nobody', undefined, 1000)), undefined);
  assert.is(await codeOf(bench.clock.run(source.fetch('targets', undefined, 299_999))), 'EW7104_SOURCE_FAILED');
});

test('through a bad network', async () => {
  const bench = new LinkBench({ latency: 20, loss: 0.3, duplicates: 0.3, reordered: 0.3, seed: 4 });
  await bench.serve();
  bench.blobs.addMetadata('root', 1, noise(500_000));
  const source = transportMetadata(bench.parts);
  assert.is(Buffer.compare((await bench.clock.run(source.fetch('root', 1, 1e6)))!, noise(500_000)), 0);
});

test('a version that is published meanwhile does not mix with the one that was begun', async () => {
  const bench = new LinkBench({ latency: 20 });
  await bench.serve();
  bench.blobs.addMetadata('snapshot', 1, noise(200_000, 1));
  bench.clock.after(70, () => bench.blobs.addMetadata('snapshot', 2, noise(200_000, 2)));
  const bytes = await bench.clock.run(transportMetadata(bench.parts).fetch('snapshot', undefined, 1e6));
  assert.is(Buffer.compare(bytes!, noise(200_000, 1)), 0);
});

test('nobody answers, or there is no connection', async () => {
  const bench = new LinkBench();
  await bench.clock.pass(10);
  const source = transportMetadata(bench.parts);
  assert.is(await codeOf(bench.clock.run(source.fetch('root', 1, 1000))), 'EW7104_SOURCE_FAILED');
  bench.transport.cut(1e9);
  assert.is(await codeOf(bench.clock.run(source.fetch('root', 1, 1000))), 'EW7101_NOT_CONNECTED');
});

test.run();
