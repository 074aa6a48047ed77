import { createServer, type Server, type ServerResponse } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { PieceSource } from '../../../../sdk/device/agent/fetch.ts';
import { HttpFolder, HttpSource, httpMetadata, Scheduler } from '../../../../sdk/device/link/index.ts';
import { blobHandler } from '../../../../sdk/fleet/blobs/index.ts';
import { SimulatedClock } from '../../../../sdk/testing/simulated-clock.ts';
import { systemClock } from '../../../../sdk/util/clock.ts';
import { EigenError, isEigenError } from '../../../../sdk/util/errors.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import type { BlobSpec } from '../../../../sdk/wire/blob.ts';
import { MemoryBlobs, noise } from '../../../support/link.ts';
import { joined } from '../../../support/link-bench.ts';

type Handler = Parameters<typeof createServer>[1];

async function withServer(handler: NonNullable<Handler>, work: (folder: HttpFolder) => Promise<void>): Promise<void> {
  const server: Server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const folder = new HttpFolder({
    url: `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`,
  });
  try {
    await work(folder);
  } finally {
    folder.close();
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

async function collect(source: PieceSource, spec: BlobSpec, pieces = spec.pieces.map((_, i) => i)) {
  const all = new Map<number, Uint8Array>();
  for await (const { index, bytes } of source.fetch(spec, pieces)) all.set(index, bytes);
  return all;
}

const failure = (work: Promise<unknown>): Promise<{ code: string; attack: unknown }> =>
  work.then(
    () => ({ code: 'none', attack: undefined }),
    (e) => (isEigenError(e) ? { code: e.code, attack: e.details.attack } : { code: String(e), attack: undefined }),
  );

const blobs = new MemoryBlobs();
const spec = await blobs.add(noise(1_000_000));
blobs.addMetadata('root', 2, noise(5000, 2));
const good = blobHandler(blobs, blobs);

test('pieces from a server that knows ranges, neighbours in one request', () => {
  const ranges: (string | undefined)[] = [];
  return withServer(
    (request, response) => {
      ranges.push(request.headers.range);
      void good(request, response);
    },
    async (folder) => {
      const source = new HttpSource(folder, systemClock);
      assert.is(sha256(joined(await collect(source, spec))), spec.sha256);
      const some = await collect(source, spec, [9, 2, 3, 16]);
      assert.equal([...some.keys()], [2, 3, 9, 16]);
      for (const [index, bytes] of some) assert.is(sha256(bytes), spec.pieces[index]!.sha256);
      assert.equal(ranges, [undefined, 'bytes=122880-245759', 'bytes=552960-614399', 'bytes=983040-999999']);
    },
  );
});

test('pieces from a server that does not know ranges', () =>
  withServer(
    (_, response) => void blobs.read(spec.sha256, 0, spec.bytes).then((bytes) => response.end(bytes)),
    async (folder) => {
      const some = await collect(new HttpSource(folder, systemClock), spec, [2, 3, 9]);
      for (const [index, bytes] of some) assert.is(sha256(bytes), spec.pieces[index]!.sha256);
      assert.is(some.size, 3);
    },
  ));

/** Servers that do not do what they should, and what is said of them. */
const BAD: Readonly<Record<string, { readonly answer: (response: ServerResponse) => void; readonly attack?: string }>> =
  {
    'no such file': { answer: (r) => r.writeHead(404).end(), attack: 'withheld' },
    'an error': { answer: (r) => r.writeHead(500).end('x'.repeat(100)) },
    'another range': { answer: (r) => r.writeHead(206, { 'content-range': 'bytes 7-99/1000000' }).end('x') },
    'an end too early': { answer: (r) => r.writeHead(200).end('too short') },
    'a connection that breaks': { answer: (r) => void r.writeHead(200).write('x', () => r.destroy()) },
  };

for (const [name, { answer, attack }] of Object.entries(BAD))
  test(`${name} is an error that says so`, () =>
    withServer(
      (_, response) => answer(response),
      async (folder) => {
        const e = await failure(collect(new HttpSource(folder, systemClock), spec, [1]));
        assert.equal(e, { code: 'EW7104_SOURCE_FAILED', attack });
      },
    ));

test('a server that is not there', async () => {
  const folder = new HttpFolder({ url: 'http://127.0.0.1:1/' });
  assert.is((await failure(collect(new HttpSource(folder, systemClock), spec))).code, 'EW7104_SOURCE_FAILED');
  assert.is((await failure(httpMetadata(folder).fetch('root', 1, 100))).code, 'EW7104_SOURCE_FAILED');
  for (const url of ['', 'x', 'ftp://x', 'mqtt://x'])
    assert.throws(
      () => new HttpFolder({ url }),
      (e: unknown) => e instanceof RangeError,
    );
});

test('bytes without an end are read as far as they were asked for', () => {
  let written = 0;
  return withServer(
    (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write(noise(65_536, 9))) written += 65_536;
      };
      response.on('drain', more);
      more();
    },
    async (folder) => {
      const all = await collect(new HttpSource(folder, systemClock), spec);
      assert.is(all.size, spec.pieces.length);
      assert.ok(written < 32 << 20, `${written} bytes were taken`);
    },
  );
});

test('a server that sends hardly anything is left', () => {
  const clock = new SimulatedClock();
  return withServer(
    (_, response) => {
      response.writeHead(200);
      const drip = setInterval(() => {
        void clock.pass(100_000).then(() => response.write('x'));
      }, 5);
      response.on('close', () => clearInterval(drip));
    },
    async (folder) => {
      const e = await failure(collect(new HttpSource(folder, clock), spec));
      assert.equal(e, { code: 'EW7104_SOURCE_FAILED', attack: 'slow-retrieval' });
    },
  );
});

test('metadata by version and the newest, none, and too much', () =>
  withServer(
    (request, response) => {
      if (request.url?.includes('endless')) {
        const more = (): void => {
          while (!response.destroyed && response.write(noise(65_536, 9)));
        };
        response.on('drain', more);
        more();
      } else if (request.url?.includes('broken')) response.writeHead(500).end();
      else void good(request, response);
    },
    async (folder) => {
      const source = httpMetadata(folder);
      assert.is((await source.fetch('root', 2, 5000))?.length, 5000);
      assert.is((await source.fetch('root', undefined, 5000))?.length, 5000);
      assert.is(await source.fetch('root', 3, 5000), undefined);
      const long = { code: 'EW7104_SOURCE_FAILED', attack: 'endless-data' };
      assert.equal(await failure(source.fetch('root', 2, 4999)), long);
      assert.equal(await failure(source.fetch('endless', undefined, 1_000_000)), long);
      assert.is((await failure(source.fetch('broken', 1, 100))).code, 'EW7104_SOURCE_FAILED');
    },
  ));

/** A source that does what it is told, and says when it was asked. */
class Told implements PieceSource {
  asked: number[][] = [];
  fails: Error | undefined;
  gives: (index: number) => boolean = () => true;
  wrong = false;

  async *fetch(...[blob, pieces]: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    this.asked.push([...pieces]);
    for (const index of pieces) {
      const bytes = await blobs.read(blob.sha256, 61_440 * index, blob.pieces[index]!.bytes);
      if (this.gives(index)) yield { index, bytes: this.wrong ? bytes.map((b) => b ^ 1) : bytes };
    }
    if (this.fails) throw this.fails;
  }
}

test('what one source does not deliver rightly is asked of the next', async () => {
  const clock = new SimulatedClock();
  const [a, b, c] = [new Told(), new Told(), new Told()];
  const scheduler = new Scheduler([a, b, c], clock, () => 0.5);
  a.gives = (index) => index < 5;
  b.wrong = true;
  assert.is(sha256(joined(await collect(scheduler, spec))), spec.sha256);
  assert.equal(
    [a, b, c].map((s) => s.asked.map((list) => list.length)),
    [[17], [12], [12]],
  );
});

test('where nothing that comes is right, that is what is said; what was right once is kept', async () => {
  const scheduler = new Scheduler(
    [new Told(), new Told()].map((s) => Object.assign(s, { wrong: true })),
    new SimulatedClock(),
    () => 0.5,
  );
  const e = await failure(collect(scheduler, spec, [1, 2]));
  assert.equal(e, { code: 'EW7002_PIECE_REFUSED', attack: 'arbitrary-installation' });
  const half = Object.assign(new Told(), { gives: (index: number) => index === 1 });
  const some = new Scheduler([half, Object.assign(new Told(), { wrong: true })], new SimulatedClock(), () => 0.5);
  assert.equal([...(await collect(some, spec, [1, 2])).keys()], [1]);
});

test('a source that failed rests, and longer when it fails again', async () => {
  const clock = new SimulatedClock();
  const [a, b] = [new Told(), new Told()];
  const scheduler = new Scheduler([a, b], clock, () => 0.5);
  a.gives = () => false;
  a.fails = new EigenError('EW7104_SOURCE_FAILED', 'down');
  for (const wait of [0, 10_000, 10_000, 20_000, 20_000]) {
    await clock.pass(wait);
    assert.is((await collect(scheduler, spec, [1])).size, 1);
  }
  assert.is(a.asked.length, 3, 'at 0, 20 and 60 s, not at 10 and 40');
  assert.is(b.asked.length, 5);
  b.gives = () => false;
  b.fails = new EigenError('EW7104_SOURCE_FAILED', 'down too');
  assert.is((await failure(collect(scheduler, spec, [1]))).code, 'EW7104_SOURCE_FAILED');
  // All rest: better any than none.
  a.gives = () => true;
  assert.is((await collect(scheduler, spec, [1])).size, 1);
  b.fails = new TypeError('a bug');
  a.gives = () => false;
  assert.instance(await collect(scheduler, spec, [1]).catch((e) => e), TypeError);
});

test.run();
