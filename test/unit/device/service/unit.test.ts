import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseConfig } from '../../../../sdk/device/service/config.ts';
import { agentUnit } from '../../../../sdk/device/service/unit.ts';

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
    'ReadWritePaths="/var/lib/e w" /run/ew',
    'NoNewPrivileges=yes',
    'ProtectSystem=strict',
    'WatchdogSec=60',
    'Restart=always',
  ])
    assert.ok(unit.split('\n').includes(line), line);
});

test.run();
