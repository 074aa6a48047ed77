import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { projectRoot } from '../support/shared.ts';

/** The command line as a process: streams, exit codes, closed pipes. */

const main = join(projectRoot, 'sdk/cli/main.ts');
const args = (line: string): string[] => ['--import', 'tsx', main, ...line.split(' ').filter(Boolean)];
const ew = (line: string) => spawnSync(process.execPath, args(line), { cwd: projectRoot, encoding: 'utf8' });

test('targets --json prints exactly one document', () => {
  const r = ew('targets --json');
  assert.is(r.status, 0);
  assert.is(r.stderr, '');
  const document = JSON.parse(r.stdout);
  assert.equal(Object.keys(document), ['ok', 'command', 'version', 'data']);
  assert.is(document.data.targets.length, 18);
});

test('an unknown board: exit code 2, nothing on stdout, a suggestion', () => {
  const r = ew('targets raspberry-pi-4');
  assert.is(r.status, 2);
  assert.is(r.stdout, '');
  assert.match(r.stderr, "did you mean 'raspberry-pi-4b'?");
});

test('doctor finds what npm installed', () => {
  const { data } = JSON.parse(ew('doctor --json').stdout);
  const status = new Map(data.findings.map((f: { name: string; status: string }) => [f.name, f.status]));
  for (const name of ['node', 'wasm simd', 'clang', 'onnxruntime-web']) assert.is(status.get(name), 'ok', name);
});

test('a reader that closes the pipe is no failure', async () => {
  const child = spawn(process.execPath, args('targets --json'), {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.destroy();
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (t: string) => {
    errors += t;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.is(errors, '');
  assert.is(code, 0);
});

test.run();
