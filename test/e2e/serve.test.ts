// timeout: 400
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { cli } from '../support/cli-process.ts';
import { ControllerProcess } from '../support/fleet/controller-process.ts';

test('a controller starts, is asked, refuses a second one, ends when it is told to, and starts again', async () => {
  const data = mkdtempSync(join(tmpdir(), 'eigen-serve-'));
  const args = ['--data', data, '--port', '0', '--mqtt-port', '0'];
  try {
    const first = await ControllerProcess.start(args);
    assert.match(first.url, /^http:\/\/127\.0\.0\.1:\d+$/);

    const made = cli(data, 'enrol', '--data', data, '--tag', 'site=lab', '--hours', '1', '--json');
    assert.is(made.status, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).data.tags, { site: 'lab' });
    const second = cli(data, 'serve', ...args);
    assert.equal([second.status, /EW5202_FOLDER_IN_USE/.test(second.stderr)], [5, true]);
    const elsewhere = cli(
      data,
      'serve',
      '--data',
      join(data, 'other'),
      '--port',
      new URL(first.url).port,
      '--mqtt-port',
      '0',
    );
    assert.equal([elsewhere.status, /EW5203_ADDRESS_IN_USE/.test(elsewhere.stderr)], [5, true]);
    const verified = cli(data, 'audit', 'verify', '--data', data);
    assert.equal([verified.status, verified.stdout], [0, '2 entries, none was changed or removed\n']);

    assert.is(await first.stop(), 0);
    assert.not.ok(existsSync(join(data, 'lock')));
    const gone = cli(data, 'audit', 'list', '--data', data);
    assert.equal([gone.status, /EW5205_CONTROLLER_UNREACHABLE/.test(gone.stderr)], [5, true]);

    const again = await ControllerProcess.start(args);
    const listed = cli(data, 'audit', 'list', '--data', data, '--json');
    assert.is(JSON.parse(listed.stdout).data.entries.length, 2);
    await again.stop('SIGKILL');
    const after = await ControllerProcess.start(args);
    assert.is(await after.stop(), 0);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});

test.run();
