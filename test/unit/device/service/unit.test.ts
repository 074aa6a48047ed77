import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../../sdk/device/service/config.ts';
import { agentUnit } from '../../../../sdk/device/service/unit.ts';
import { skip } from '../../../../sdk/testing/skip.ts';

test('a unit without privileges that may write to its own folders only', () => {
  const text = JSON.stringify({
    device: 'd',
    board: 'b',
    state: '/var/lib/e w',
    folder: 'f',
    socket: '/run/ew/a.sock',
  });
  const unit = agentUnit({
    config: parseConfig(text, '/etc/ew/agent.json'),
    start: ['/usr/bin/node', '/opt/100%/a.mjs'],
  });
  for (const line of [
    'ExecStart=/usr/bin/node /opt/100%%/a.mjs',
    'Environment="EIGEN_CACHE=/var/lib/e w/cache"',
    'ReadWritePaths="/var/lib/e w" /run/ew',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'WatchdogSec=60',
    'Restart=always',
  ])
    assert.ok(unit.split('\n').includes(line), line);
});

test('systemd takes the unit as it is', () => {
  if (spawnSync('systemd-analyze', ['--version']).status !== 0)
    return skip('the unit as systemd reads it', 'there is no systemd-analyze');
  const folder = mkdtempSync(join(tmpdir(), 'ew-unit-'));
  try {
    const state = { device: 'd', board: 'b', state: '/var/lib/e w', folder: 'f', socket: '/run/ew/a.sock' };
    const config = parseConfig(JSON.stringify(state), '/etc/ew/agent.json');
    const file = join(folder, 'eigenweights.service');
    writeFileSync(
      file,
      agentUnit({ config, start: [process.execPath, '/opt/100%/a b.cjs', '--config', '/etc/a.json'] }),
    );
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    assert.is(status, 0, stderr);
    // What it does not know it says and goes on.
    assert.not.match(stderr, 'eigenweights.service');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
