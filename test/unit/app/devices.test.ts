import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { listDevices } from '../../../sdk/app/devices.ts';

/** A controller with so many devices, and what it was asked. */
function controllerOf(count: number) {
  const names = Array.from({ length: count }, (_, i) => `d${String(i).padStart(5, '0')}`);
  const asked: URLSearchParams[] = [];
  const client = {
    ask: async <T>(_: string, path: string): Promise<T> => {
      const query = new URL(path, 'http://fleet').searchParams;
      asked.push(query);
      const limit = Number(query.get('limit'));
      const page = names.filter((n) => n > (query.get('after') ?? '')).slice(0, limit);
      const next = page.length === limit ? page.at(-1)! : null;
      return { devices: page.map((name) => ({ name })), next } as T;
    },
  };
  return { client, asked };
}

test('devices are listed page by page, up to the number that was asked for', async () => {
  for (const [count, most, pages, more] of [
    [0, 10, 1, false],
    [2500, 10_000, 3, false],
    [2500, 1200, 2, true],
    [2500, 2500, 3, false],
    [1000, 1000, 2, false],
    [2500, 1, 1, true],
  ] as const) {
    const { client, asked } = controllerOf(count);
    const found = await listDevices(client, {}, most);
    assert.equal([found.devices.length, found.more, asked.length], [Math.min(count, most), more, pages]);
    assert.is(new Set(found.devices.map((d) => d.name)).size, found.devices.length);
  }
});

test('a filter is asked for with every page', async () => {
  const { client, asked } = controllerOf(1500);
  await listDevices(client, { board: 'pi-5', state: 'failed', online: false, tag: ['site', 'a=b'] }, 2000);
  assert.is(asked.length, 2);
  for (const query of asked)
    assert.equal(
      ['board', 'state', 'online', 'tag'].map((name) => query.get(name)),
      ['pi-5', 'failed', 'false', 'site=a=b'],
    );
});

test.run();
