import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ModelHost } from '../../../../sdk/device/agent/host.ts';
import { localModel } from '../../../../sdk/device/client/local-client.ts';
import { encodeFrame, packTensors } from '../../../../sdk/device/client/messages.ts';
import { connectModel } from '../../../../sdk/device/client/socket-client.ts';
import { LocalApi } from '../../../../sdk/device/service/local-api.ts';
import { Monitor } from '../../../../sdk/device/service/monitor.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';
import { codeOf, fakeModel, four } from '../../../support/fake-model.ts';

interface Device {
  readonly path: string;
  readonly host: ModelHost;
  readonly monitor: Monitor;
  readonly api: LocalApi;
}

async function withDevice(work: (device: Device) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'ew-api-'));
  const path = join(folder, 'agent.sock');
  const host = new ModelHost();
  const monitor = new Monitor(host, { residentBytes: () => 1, monotonic: () => performance.now() });
  const api = await LocalApi.open(path, host, monitor);
  try {
    await work({ path, host, monitor, api });
  } finally {
    await api.close();
    rmSync(folder, { recursive: true });
  }
}

test('the same answers over the socket and in the process', async () => {
  await withDevice(async ({ path, host, monitor }) => {
    assert.is(statSync(path).mode & 0o777, 0o660);
    const client = await connectModel(path);
    const local = localModel(host, monitor);
    for (const model of [client, local]) {
      assert.is(await model.describe(), undefined);
      assert.is(await codeOf(model.run(four(1))), 'EW5003_ENGINE_UNAVAILABLE');
    }
    const changes: (string | undefined)[] = [];
    for (const model of [client, local]) model.onChange((s) => changes.push(s?.model));
    host.swap({ sha256: 'one', model: fakeModel(2) });
    for (const model of [client, local]) {
      const { model: name, outputs } = await model.run(four(5));
      assert.is(name, 'one');
      assert.equal(outputs.y, tensor('f32', [1, 4], [10, 10, 10, 10]));
      assert.is((await model.describe())!.signature.inputs[0]!.name, 'x');
      assert.is(await codeOf(model.run({})), 'EW3202_DATA_INVALID');
      await model.measure({ right: 1 });
      assert.is(await codeOf(model.measure({ 'no name': 1 })), 'EW3202_DATA_INVALID');
    }
    assert.equal(changes, ['one', 'one']);
    assert.is(monitor.health().runs, 2);
    await client.close();
    assert.is(await codeOf(client.run(four(1))), 'EW5004_AGENT_UNREACHABLE');
  });
});

test('several applications at once, many questions each, answered in order', async () => {
  await withDevice(async ({ path, host }) => {
    host.swap({ sha256: 'one', model: fakeModel(3) });
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectModel(path)));
    const answers = await Promise.all(
      clients.flatMap((client, c) => Array.from({ length: 50 }, (_, i) => client.run(four(100 * c + i)))),
    );
    answers.forEach((a, i) => {
      assert.is(a.outputs.y!.data[0], 3 * (100 * Math.floor(i / 50) + (i % 50)));
    });
    for (const client of clients) await client.close();
  });
});

test('an application that sends and does not read is held up, and nobody else', async () => {
  await withDevice(async ({ path, host, monitor }) => {
    host.swap({ sha256: 'one', model: fakeModel(3) });
    const greedy = createConnection({ path });
    greedy.pause();
    const frame = encodeFrame({ id: 1, op: 'run', inputs: packTensors(four(1)) });
    while (greedy.write(frame) || greedy.writableLength < 8 << 20);
    const polite = await connectModel(path);
    let runs = -1;
    // Until its socket is full both ways.
    while (runs !== monitor.health().runs) {
      runs = monitor.health().runs;
      for (let i = 0; i < 20; i++) assert.is((await polite.run(four(2))).outputs.y!.data[0], 6);
      runs += 20;
    }
    assert.ok(greedy.writableLength > 0);
    greedy.destroy();
    await polite.close();
  });
});

test('what is no request ends its own connection only', async () => {
  await withDevice(async ({ path, host }) => {
    host.swap({ sha256: 'one', model: fakeModel(3) });
    const polite = await connectModel(path);
    for (const bytes of [
      Uint8Array.of(255, 255, 255, 255),
      Uint8Array.of(1, 0, 0, 0, 0xff),
      Uint8Array.of(1, 0, 0, 0, 0),
    ]) {
      const socket = createConnection({ path });
      socket.write(bytes);
      const said = await new Promise<string>((resolve) => {
        let text = '';
        socket.setEncoding('latin1').on('data', (chunk) => {
          text += chunk;
        });
        socket.on('close', () => resolve(text));
      });
      assert.match(said, /EW6006_MESSAGE_INVALID/);
    }
    const short = { x: { dtype: 'f32' as const, shape: [1, 4], data: new Float32Array(3) } };
    assert.is(await codeOf(polite.run(short)), 'EW6006_MESSAGE_INVALID');
    assert.is((await polite.run(four(1))).outputs.y!.data[0], 3);
    await polite.close();
  });
});

test('a client finds an agent that was started again', async () => {
  await withDevice(async ({ path, host, monitor, api }) => {
    host.swap({ sha256: 'one', model: fakeModel(3) });
    const client = await connectModel(path);
    await api.close();
    assert.is(await codeOf(client.run(four(1))), 'EW5004_AGENT_UNREACHABLE');
    const again = await LocalApi.open(path, host, monitor);
    assert.is((await client.run(four(1))).outputs.y!.data[0], 3);
    await client.close();
    await again.close();
  });
});

test.run();
