// timeout: 180
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, cli } from '../support/cli-process.ts';

function start(args: readonly string[]): ChildProcess {
  const [program, ...words] = CLI;
  return spawn(program!, [...words, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Lines of the log until an event. */
async function logUntil(child: ChildProcess, event: string): Promise<Record<string, unknown>> {
  for await (const line of createInterface({ input: child.stderr! })) {
    const entry: Record<string, unknown> = JSON.parse(line);
    if (entry.event === event) return entry;
  }
  throw new Error(`the controller ended without ${event}`);
}

test('a controller starts, is asked, refuses a second one, ends when it is told to, and starts again', async () => {
  const data = mkdtempSync(join(tmpdir(), 'eigen-serve-'));
  const args = ['serve', '--data', data, '--port', '0', '--mqtt-port', '0'];
  try {
    const first = start(args);
    const ended = new Promise<number | null>((resolve) => first.once('exit', resolve));
    const { url } = await logUntil(first, 'started');
    assert.match(String(url), /^http:\/\/127\.0\.0\.1:\d+$/);
    first.stderr!.resume();

    const made = cli(data, 'enrol', '--data', data, '--tag', 'site=lab', '--hours', '1', '--json');
    assert.is(made.status, 0, made.stderr);
    assert.equal(JSON.parse(made.stdout).data.tags, { site: 'lab' });
    const second = cli(data, ...args);
    assert.equal([second.status, /EW5202_FOLDER_IN_USE/.test(second.stderr)], [5, true]);
    const verified = cli(data, 'audit', 'verify', '--data', data);
    assert.equal([verified.status, verified.stdout], [0, '2 entries, none was changed or removed\n']);

    first.kill('SIGTERM');
    assert.is(await ended, 0);
    assert.not.ok(existsSync(join(data, 'lock')));
    const gone = cli(data, 'audit', 'list', '--data', data);
    assert.equal([gone.status, /EW5205_CONTROLLER_UNREACHABLE/.test(gone.stderr)], [5, true]);

    const again = start(args);
    await logUntil(again, 'started');
    again.stderr!.resume();
    const listed = cli(data, 'audit', 'list', '--data', data, '--json');
    assert.is(JSON.parse(listed.stdout).data.entries.length, 2);
    again.kill('SIGKILL');
    const after = start(args);
    await logUntil(after, 'started');
    after.stderr!.resume();
    after.kill('SIGTERM');
    assert.is(await new Promise((resolve) => after.once('exit', resolve)), 0);
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
});

test.run();
