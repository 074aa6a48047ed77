import { createServer } from 'node:http';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { blobHandler } from '../../../../sdk/fleet/blobs/index.ts';
import type { BlobSpec } from '../../../../sdk/wire/blob.ts';
import { MemoryBlobs, noise } from '../../../support/link.ts';

const bytes = noise(700_000);

async function withServer(work: (url: string, spec: BlobSpec) => Promise<void>): Promise<void> {
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(bytes);
  blobs.addMetadata('root', 2, noise(100, 2));
  const handle = blobHandler(blobs, blobs);
  const server = createServer(async (request, response) => {
    if (!(await handle(request, response))) response.writeHead(418).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  try {
    await work(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`, spec);
  } finally {
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
}

const rows: readonly [headers: Record<string, string>, status: number, from: number, to: number][] = [
  [{}, 200, 0, 700_000],
  [{ range: 'bytes=0-0' }, 206, 0, 1],
  [{ range: 'bytes=1000-599999' }, 206, 1000, 600_000],
  [{ range: 'bytes=699999-' }, 206, 699_999, 700_000],
  [{ range: 'bytes=699000-9999999' }, 206, 699_000, 700_000],
  [{ range: 'bytes=700000-' }, 416, 0, 0],
  [{ range: 'bytes=5-4' }, 416, 0, 0],
  [{ range: 'bytes=0-1,5-6' }, 200, 0, 700_000],
  [{ range: 'bytes=0-9', 'if-range': '"other"' }, 200, 0, 700_000],
];

test('a blob whole, in ranges, not at all', () =>
  withServer(async (url, spec) => {
    const blob = `${url}/blobs/${spec.sha256}`;
    for (const [headers, status, from, to] of rows) {
      const response = await fetch(blob, { headers });
      assert.is(response.status, status, JSON.stringify(headers));
      const body = new Uint8Array(await response.arrayBuffer());
      assert.is(Buffer.compare(body, bytes.subarray(from, to)), 0, JSON.stringify(headers));
      assert.is(response.headers.get('etag'), `"${spec.sha256}"`);
    }
    const known = await fetch(blob, { headers: { 'if-none-match': `"${spec.sha256}"` } });
    assert.is(known.status, 304);
    const head = await fetch(blob, { method: 'HEAD' });
    assert.is(head.headers.get('content-length'), '700000');
    assert.is((await fetch(blob, { method: 'DELETE' })).status, 405);
    assert.is((await fetch(`${url}/blobs/${'0'.repeat(64)}`)).status, 404);
  }));

test('metadata by version and the newest; other paths are left alone', () =>
  withServer(async (url) => {
    for (const [path, status] of [
      ['metadata/2.root.json', 200],
      ['metadata/root.json', 200],
      ['metadata/3.root.json', 404],
      ['metadata/%2e%2e/x.json', 418],
      ['api', 418],
      ['blobs/x', 418],
    ] as const) {
      const response = await fetch(`${url}/${path}`);
      assert.is(response.status, status, path);
      if (status === 200) assert.is((await response.arrayBuffer()).byteLength, 100);
    }
  }));

test('an answer that cannot be ended well is not ended at all', async () => {
  const blobs = new MemoryBlobs();
  const spec = await blobs.add(bytes);
  const rotten = {
    spec: async () => spec,
    read: async (_: string, at: number, n: number) => {
      if (at > 0) throw new Error('EIO');
      return bytes.subarray(at, at + n);
    },
  };
  const handle = blobHandler(rotten, blobs);
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/blobs/${spec.sha256}`;
  const failed = await fetch(url)
    .then((r) => r.arrayBuffer())
    .then(
      () => false,
      () => true,
    );
  assert.ok(failed);
  server.closeAllConnections();
  await new Promise<void>((resolve) => void server.close(() => resolve()));
});

test.run();
