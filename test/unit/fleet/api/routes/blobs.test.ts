// timeout: 120
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FleetClient, uploadBlob } from '../../../../../sdk/index.ts';
import { TcpProxy } from '../../../../../sdk/testing/tcp-proxy.ts';
import { sha256 } from '../../../../../sdk/util/hash.ts';
import { TestController } from '../../../../support/fleet/running.ts';
import { noise } from '../../../../support/link.ts';

const test = suite<{ controller: TestController }>('blobs');

test.before(async (context) => {
  context.controller = await TestController.start();
});
test.after(({ controller }) => controller.remove());

const bytes = noise(3_000_000);
const name = sha256(bytes);

test('a bundle comes over HTTP through a connection that breaks, once, and devices can fetch it', async ({
  controller,
}) => {
  const file = join(controller.folder, 'model.ewb');
  await writeFile(file, bytes);
  const port = Number(new URL(controller.running.url).port);
  // Slow enough that some of it is on the way when it is cut.
  const proxy = await TcpProxy.open(port, 20);
  try {
    const access = { url: `http://127.0.0.1:${proxy.port}`, tokenFile: join(controller.folder, 'admin.token') };
    const client = await FleetClient.open(access, {});
    let cuts = 0;
    const told: number[] = [];
    const clock = {
      now: Date.now,
      monotonic: () => 0,
      after(_: number, call: () => void) {
        const soon = setImmediate(call);
        return () => clearImmediate(soon);
      },
    };
    const report = await uploadBlob(client, file, {
      clock,
      onProgress(done) {
        told.push(done);
        if (cuts++ < 2) setTimeout(() => proxy.cut(), 30);
      },
    });
    assert.equal([report.sha256, report.bytes], [name, bytes.length]);
    assert.is(told.at(-1), bytes.length);
    assert.equal(
      told,
      [...told].sort((a, b) => a - b),
      'what has come stays',
    );
    const response = await fetch(`${controller.running.url}/blobs/${name}`);
    assert.is(sha256(new Uint8Array(await response.arrayBuffer())), name);
    const again = await uploadBlob(client, file);
    assert.is(again.sent, 0);
    const { entries } = (await controller.ask('GET', '/v1/audit')).body;
    assert.is(entries.filter((e) => e.action === 'blob-upload').length, 1);
  } finally {
    await proxy.close();
  }
});

test('whoever may change things may send one, and nobody else', async ({ controller }) => {
  const put = async (token: string, query = ''): Promise<number> => {
    const response = await fetch(`${controller.running.url}/v1/blobs/${sha256('abc')}${query}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}` },
      body: 'abc',
    });
    await response.text();
    return response.status;
  };
  const tokenOf = async (role: string): Promise<string> =>
    (await controller.ask('POST', '/v1/tokens', { name: role, role })).body.secret;
  assert.equal(
    [await put('nobody'), await put(await tokenOf('viewer')), await put(await tokenOf('approver'))],
    [401, 403, 403],
  );
  assert.is(await put(await tokenOf('operator'), '?from=1'), 400);
  assert.is(await put(await tokenOf('operator')), 200);
  const { paths } = (await controller.ask('GET', '/v1/openapi.json')).body;
  assert.ok(paths['/v1/blobs/{sha256}']?.put?.requestBody);
});

test.run();
