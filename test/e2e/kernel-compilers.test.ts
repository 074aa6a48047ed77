// timeout: 300
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findCompiler } from '../../sdk/compile/toolchains/compiler.ts';
import { onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { noise } from '../support/small-models.ts';

/** When the compiler's process stays, and which compilers run at one time. */

const root = resolve(import.meta.dirname, '../..');
const native = await findCompiler('linux-x64');
/** Within the project, where its packages are found. */
let folder = '';
let child = '';

test.before(async () => {
  mkdirSync(join(root, 'out'), { recursive: true });
  folder = mkdtempSync(join(root, 'out', 'compilers-'));
  child = join(folder, 'child.mjs');
  await build({
    entryPoints: [join(root, 'test/support/kernel-compilers-child.ts')],
    outfile: child,
    ...{ bundle: true, platform: 'node', format: 'esm', packages: 'external', logLevel: 'error' },
  });
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

function run(env: NodeJS.ProcessEnv, ...args: string[]): string {
  return execFileSync(process.execPath, [child, ...args], { env: { ...process.env, ...env }, encoding: 'utf8' });
}

test('the compiler stays for more beside a small program, and ends beside one that is large', () => {
  const { first, second } = JSON.parse(run({ EIGEN_CACHE: 'off' }, 'rule'));
  assert.is(first.length, 1);
  assert.equal(second, first);
});

test('beside a large program as many modules as are asked for are made, one a process', () => {
  assert.is(JSON.parse(run({ EIGEN_CACHE: 'off' }, 'many')).length, 5);
});

test('a compiler at work for one build is not ended by another', () => {
  const { before, after } = JSON.parse(run({ EIGEN_CACHE: 'off' }, 'rest'));
  assert.is(before.length, 1);
  assert.equal(after, before);
});

const BESIDE =
  'native kernels are compiled beside those for WebAssembly where there is room, and the bundle is the same';
test(BESIDE, () => {
  if (process.platform !== 'linux' || process.arch !== 'x64' || !native) return skip(BESIDE, 'no compiler for x86-64');
  const rng = new Rng(3);
  const model = onnxModel({
    inputs: [{ name: 'x', shape: [1, 16] }],
    outputs: [{ name: 'y', shape: [1, 8] }],
    initializers: { w: noise(rng, [16, 8], 0.2), b: noise(rng, [8], 0.1) },
    nodes: [{ op: 'Gemm', inputs: ['x', 'w', 'b'], outputs: ['y'] }],
  });
  writeFileSync(join(folder, 'model.onnx'), model);
  // Where there is one beside it, the first looks find it, but on a busy machine.
  const [small, large] = [
    { megabytes: 0, looks: 60 },
    { megabytes: 400, looks: 8 },
  ].map(({ megabytes, looks }) => {
    const name = join(folder, `held-${megabytes}`);
    const command = [native.command, ...native.args].join(' ');
    const env = { EIGEN_CACHE: 'off', EIGEN_CC: noting(`${name}.log`, command, looks) };
    const { kernels } = JSON.parse(run(env, 'bundle', join(folder, 'model.onnx'), `${name}.ewb`, `${megabytes}`));
    assert.ok(kernels.length > 1, `${kernels}`);
    return { beside: existsSync(`${name}.log`), bytes: readFileSync(`${name}.ewb`) };
  });
  assert.is(small!.beside, true);
  assert.is(large!.beside, false);
  assert.ok(small!.bytes.equals(large!.bytes));
});

/** A compiler that writes to a file when it finds the other one beside it, in at most so many looks. */
function noting(log: string, command: string, looks: number): string {
  const path = join(folder, 'cc');
  writeFileSync(
    path,
    `#!/bin/sh
case "$*" in
*--version*) ;;
*)
  # One that was told to end needs a moment, one that begins on a busy machine some more.
  for look in $(seq ${looks}); do
    sleep 0.3
    for status in $(grep -ls "^PPid:[[:space:]]*$PPID$" /proc/[0-9]*/status); do
      if tr '\\0' ' ' < "\${status%status}cmdline" | grep -q liftoff; then echo beside >> ${log}; break 2; fi
    done
  done ;;
esac
exec ${command} "$@"
`,
  );
  chmodSync(path, 0o755);
  return path;
}

test.run();
