import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { devicesText, deviceText } from '../../../sdk/cli/device-text.ts';
import type { FleetDevice } from '../../../sdk/index.ts';

const NOW = 1_700_000_000_000;
const DEVICE: FleetDevice = {
  name: 'cam-1',
  board: 'pi-5',
  agent: '0.1.0',
  online: true,
  revoked: false,
  tags: { site: 'lab' },
  firstSeen: NOW - 1e6,
  lastSeen: NOW,
  profile: 'p'.repeat(64),
  self: null,
  running: 'a'.repeat(64),
  step: 'fetch',
  done: 3_000_000,
  total: 12_000_000,
  why: null,
  p95: 1500,
  memory: 2_000_000,
  temperature: 51.25,
  desired: {
    action: 'install',
    target: 'b'.repeat(64),
    at: NOW - 1000,
    state: 'delivered',
    code: null,
    reason: null,
  },
};

test('a line a device: what it runs, was told, does and waits for', () => {
  const waits = { step: 'idle', done: 0, total: 0, why: 'updates begin between 01:00 and 05:00' };
  const text = devicesText(
    [
      DEVICE,
      { ...DEVICE, ...waits, name: 'cam-2' },
      { ...DEVICE, name: 'cam-3', online: false, lastSeen: NOW - 5 * 3_600_000, step: null, desired: null },
      { ...DEVICE, name: 'cam-4', board: null, running: null, revoked: true, step: 'probation', done: 0, total: 0 },
    ],
    NOW,
  );
  assert.equal(text.split('\n'), [
    'device  board  there     runs      told                 does',
    'cam-1   pi-5   yes       aaaaaaaa  bbbbbbbb  delivered  fetch 25 % of 12.0 MB',
    'cam-2   pi-5   yes       aaaaaaaa  bbbbbbbb  delivered  idle: updates begin between 01:00 and 05:00',
    'cam-3   pi-5   away 5 h  aaaaaaaa',
    'cam-4          revoked             bbbbbbbb  delivered  probation',
  ]);
});

test('a device with what became of its updates, in its own words, which are no orders to a terminal', () => {
  const report = { at: NOW, outcome: 'refused', received: 1500, running: null } as const;
  const reason = '95 % of inferences take up to 12.00 ms,\u001b[2J 10 are allowed';
  const text = deviceText(
    { ...DEVICE, desired: { ...DEVICE.desired!, state: 'refused', code: 'EW7005_GATE_FAILED', reason } },
    [
      { ...report, step: 'gate', code: 'EW7005_GATE_FAILED', attack: null, reason },
      { ...report, step: 'check', code: 'EW7006_METADATA_REFUSED', attack: 'rollback', reason: null },
    ],
    NOW,
  );
  const words = 'refused in gate (EW7005_GATE_FAILED): 95 % of inferences take up to 12.00 ms,?[2J 10 are allowed';
  assert.ok(text.includes(words), text);
  assert.ok(text.includes('refused in check attack: rollback (EW7006_METADATA_REFUSED)'), text);
  for (const line of [/95 of 100 take +1.50 ms/, /temperature +51.3 C/, /tags +site=lab/, /outcome +refused \(EW7005/])
    assert.match(text, line);
});

test.run();
