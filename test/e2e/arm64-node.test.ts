// timeout: 600
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildCompressed, ROUND_TO_NEAREST } from '../../sdk/index.ts';
import { skip } from '../../sdk/testing/index.ts';
import { writeNpz } from '../../sdk/util/npz.ts';
import { Arm64Node, missingForNode } from '../support/arm64-node.ts';
import { smallCnn } from '../support/small-models.ts';

/** A board's whole path: a bundle built here proves itself on Node for 64-bit Arm, with native kernels and with WebAssembly. */
const name = 'self-test on a Raspberry Pi 4, emulated';

test(name, async () => {
  const missing = missingForNode();
  if (missing) return skip(name, `no ${missing}`);
  const board = await Arm64Node.open();
  if (!board) return skip(name, 'Node and koffi for arm64 cannot be fetched from npm');
  const folder = mkdtempSync(join(tmpdir(), 'eigenweights-board-'));
  const model = smallCnn();
  writeFileSync(join(folder, 'model.onnx'), model.onnx);
  writeFileSync(join(folder, 'samples.npz'), writeNpz(model.samples(8)));
  const build = async (target: string): Promise<string> => {
    const out = join(folder, `${target}.ewb`);
    await buildCompressed(
      { path: join(folder, 'model.onnx') },
      {
        target,
        calibration: join(folder, 'samples.npz'),
        stages: { ...ROUND_TO_NEAREST, frontierPoints: 0 },
        cwd: folder,
        force: true,
        out,
      },
    );
    return out;
  };
  const selfTest = (bundle: string, ...args: string[]) => {
    const ran = board.cli('run', bundle, '--self-test', '--json', ...args);
    assert.is(ran.status, 0, ran.stdout + ran.stderr);
    return JSON.parse(ran.stdout).data;
  };
  const own = await build('raspberry-pi-4b');
  for (const threads of ['1', '2']) assert.is(selfTest(own, '--threads', threads).engine, 'native cortex-a72');
  assert.is(selfTest(own, '--engine', 'simd128').engine, 'wasm simd128');
  // Kernels with instructions that this core lacks are left alone.
  assert.match(selfTest(await build('raspberry-pi-5')).engine, /^wasm /);
  board.close();
  rmSync(folder, { recursive: true, force: true });
});

test.run();
