// timeout: 480
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildAgent } from '../../tools/lib/agent-file.ts';

/** Milliseconds; a test that says where it was stopped is worth more than one that was. */
const LIMIT = 420_000;
const DEMO = resolve(import.meta.dirname, '../../examples/02-fleet/demo.ts');

test('the demo of a fleet shows what it is to show, with fewer devices too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigen-demo-'));
  try {
    const agent = join(folder, 'agent.cjs');
    await buildAgent(agent);
    const words = ['--import', 'tsx', DEMO, '--devices', '12', '--agent', agent];
    const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: LIMIT }).catch((e) => {
      throw new Error(`${e.message}\n${e.stdout}`);
    });
    assert.match(stdout, /ABORTING, canary: accuracy is [\d.]+ % worse than on devices held back/);
    assert.match(stdout, /everything was shown/);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
