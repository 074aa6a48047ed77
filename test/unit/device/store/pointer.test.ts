import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readIfThere, replaceFile } from '../../../../sdk/device/fs/whole-files.ts';
import { Pointer } from '../../../../sdk/device/store/pointer.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { LOSS_MODELS } from '../../../../sdk/testing/crash-image.ts';

const stateOf = async (fs: CrashFileSystem): Promise<unknown> => (await Pointer.open(fs, '.')).state;

async function written(...states: readonly unknown[]): Promise<CrashFileSystem> {
  const fs = new CrashFileSystem();
  const pointer = await Pointer.open(fs, '.');
  for (const state of states) await pointer.write(state);
  return fs;
}

test('the last state that was written is durable', async () => {
  assert.is(await stateOf(new CrashFileSystem()), undefined);
  assert.is(await stateOf((await written('x')).crash('lost')), 'x');
  assert.is(await stateOf((await written('x', 'y', 'z')).crash('lost')), 'z');
});

test('a power cut at any operation leaves the state before or the one after', async () => {
  for (const before of [['a'], ['a', 'a long state before it'], ['a', 'b', 'c']]) {
    const image = await written(...before);
    for (let cut = 0; ; cut++) {
      const fs = image.crash('kept');
      const pointer = await Pointer.open(fs, '.');
      fs.cutPowerAt(fs.operations.length + cut);
      await pointer.write('next').catch(() => undefined);
      for (const model of LOSS_MODELS)
        for (let seed = 0; seed < 8; seed++) {
          const state = await stateOf(fs.crash(model, seed));
          assert.ok(state === 'next' || state === before.at(-1), `${cut} ${model}: ${state}`);
        }
      if (fs.powered) break;
    }
  }
});

test('damage to the newest copy leaves the state from one change earlier; after settling the same state', async () => {
  for (const settle of [false, true]) {
    const fs = await written('old', 'new');
    const pointer = await Pointer.open(fs, '.');
    if (settle) await pointer.settle();
    assert.equal(new Set(pointer.reachable), new Set(settle ? ['new'] : ['old', 'new']));
    const newest = settle ? 'pointer.0' : 'pointer.1';
    const bytes = (await readIfThere(fs, newest))!;
    bytes[70]! ^= 4;
    await replaceFile(fs, newest, bytes);
    assert.is(await stateOf(fs), settle ? 'new' : 'old');
  }
});

test('a write that fails changes nothing, but what it may have left is remembered until the next one', async () => {
  const fs = await written('a', 'b');
  const pointer = await Pointer.open(fs, '.');
  fs.failAt(fs.operations.length + 2, 'EIO');
  assert.ok(
    await pointer.write('c').then(
      () => false,
      () => true,
    ),
  );
  assert.is(pointer.state, 'b');
  assert.equal(new Set(pointer.reachable), new Set(['a', 'b', 'c']));
  await pointer.write('d');
  assert.equal(new Set(pointer.reachable), new Set(['b', 'd']));
  assert.is(await stateOf(fs.crash('lost')), 'd');
});

test.run();
