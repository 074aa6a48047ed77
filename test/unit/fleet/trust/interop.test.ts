import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Updater } from 'tuf-js';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listed, pathOf, signerOf, World } from '../../../support/trust-world.ts';
import { blobOf } from '../../../support/versions.ts';

/** Serves the files of a fleet's metadata as they lie in their folder, as any web server would, while `use` runs. */
async function served(world: World, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    const file = world.fs.files.get(`metadata${request.url}`);
    response.writeHead(file ? 200 : 404).end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test('another client of TUF finds the bundles, over a rotation and a delegation', async () => {
  const world = await World.make(Date.now());
  const own = signerOf(61);
  world.ring.add(own);
  await world.rotate({ timestamp: [signerOf(32)] });
  await world.repository.delegate({ name: 'kws', paths: ['kws/*/*'], keys: [own.key], threshold: 1 }, world.ring);
  await world.repository.unlist([pathOf(2)], world.ring);
  await world.repository.list({ [pathOf(2)]: listed(2) }, world.ring, 'kws');

  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-'));
  try {
    await writeFile(join(folder, 'root.json'), await world.deliveredRoot());
    await served(world, async (metadataBaseUrl) => {
      const client = new Updater({ metadataDir: folder, metadataBaseUrl });
      for (const version of [1, 2]) {
        const target = await client.getTargetInfo(pathOf(version));
        assert.is(target?.hashes.sha256, blobOf(version).sha256);
        assert.is(target?.length, blobOf(version).bytes);
      }
      assert.is(await client.getTargetInfo(pathOf(9)), undefined);
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
