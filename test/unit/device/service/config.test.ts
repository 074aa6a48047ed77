import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../../sdk/device/service/config.ts';

const GOOD = { device: 'camera-7', board: 'raspberry-pi-5', state: 'state', folder: '/media/stick' };
const parse = (change: object) => parseConfig(JSON.stringify({ ...GOOD, ...change }), '/etc/ew/agent.json');

test('paths start from the folder of the file, and what is absent has a default', () => {
  const config = parse({ socket: '../run/agent.sock' });
  assert.is(config.state, '/etc/ew/state');
  assert.is(config.folder, '/media/stick');
  assert.is(config.socket, '/etc/run/agent.sock');
  assert.is(config.exchangeSeconds, 60);
  assert.is(config.threads, 1);
  assert.equal(config.conditions, {});
});

const WRONG: readonly (readonly [object, RegExp])[] = [
  [{ device: 'a.b' }, /device: must be 1 to 64 letters/],
  [{ board: undefined }, /board: /],
  [{ threads: 0 }, /threads: /],
  [{ conditions: { window: { from: '2:00', to: '04:00' } } }, /conditions\.window\.from: must be a time of day/],
  [{ conditions: { power: { least: 1 } } }, /conditions\.power\.file: /],
  [{ health: { command: [] } }, /health\.command: must name a program/],
];

test('a wrong field is named', () => {
  for (const [change, message] of WRONG) {
    try {
      parse(change);
      assert.unreachable(`${message}`);
    } catch (e) {
      assert.is((e as { code: string }).code, 'EW1005_CONFIG_INVALID');
      assert.match((e as Error).message, message);
    }
  }
});

test('an unknown field and what it may have meant', () => {
  try {
    parse({ sockett: 'a' });
    assert.unreachable();
  } catch (e) {
    assert.match((e as Error).message, /sockett/);
    assert.is((e as { hint: string }).hint, "did you mean 'socket'?");
  }
  assert.throws(() => parseConfig('{', 'agent.json'), /agent\.json: it is no JSON/);
});

test.run();
