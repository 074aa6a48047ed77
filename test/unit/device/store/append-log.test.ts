import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readIfThere, replaceFile, withFile, writeFully } from '../../../../sdk/device/fs/whole-files.ts';
import { AppendLog } from '../../../../sdk/device/store/append-log.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';

const isNumber = (value: unknown): value is number => typeof value === 'number';

const entriesOf = async (fs: CrashFileSystem): Promise<number[]> => (await AppendLog.open(fs, 'log', isNumber)).entries;

async function withEntries(...entries: number[]): Promise<CrashFileSystem> {
  const fs = new CrashFileSystem();
  const { log } = await AppendLog.open(fs, 'log', isNumber);
  for (const entry of entries) await log.append(entry);
  return fs;
}

test('what was appended is durable, in order, and goes on after opening again', async () => {
  const fs = (await withEntries(1, 2)).crash('lost');
  const { log, entries } = await AppendLog.open(fs, 'log', isNumber);
  assert.equal(entries, [1, 2]);
  await log.append(3);
  assert.equal(await entriesOf(fs.crash('lost')), [1, 2, 3]);
});

test('a torn line at the end is overwritten, a rotten one in the middle skipped', async () => {
  const fs = await withEntries(1, 2, 3);
  const bytes = (await readIfThere(fs, 'log'))!;
  await withFile(fs, 'log', 'write', (f) => writeFully(f, bytes.length, bytes.subarray(0, 11)));
  const { log, entries } = await AppendLog.open(fs, 'log', isNumber);
  assert.equal(entries, [1, 2, 3]);
  await log.append(4);
  assert.equal(await entriesOf(fs), [1, 2, 3, 4]);
  const rotten = (await readIfThere(fs, 'log'))!;
  rotten[bytes.length / 3 + 3]! ^= 1;
  await replaceFile(fs, 'log', rotten);
  assert.equal(await entriesOf(fs), [1, 3, 4]);
});

test('an append that failed leaves nothing, and the next one takes its place', async () => {
  for (const [operation, fault] of [
    ['write', 'ENOSPC'],
    ['sync', 'EIO'],
  ] as const) {
    const fs = await withEntries(1);
    const { log } = await AppendLog.open(fs, 'log', isNumber);
    fs.failAt(fs.operations.length + (operation === 'write' ? 1 : 2), fault);
    assert.ok(
      await log.append(2).then(
        () => false,
        () => true,
      ),
      fault,
    );
    await log.append(3);
    assert.equal(await entriesOf(fs.crash('lost')), [1, 3]);
  }
});

test('rewritten: the old entries or the new ones, at any cut', async () => {
  const whole = await withEntries(1, 2);
  for (let cut = 0; ; cut++) {
    const fs = whole.crash('kept');
    const { log } = await AppendLog.open(fs, 'log', isNumber);
    fs.cutPowerAt(fs.operations.length + cut);
    await log.rewrite([9]).catch(() => undefined);
    for (const model of ['kept', 'lost', 'torn', 'reordered'] as const) {
      const entries = await entriesOf(fs.crash(model, cut));
      assert.ok(['1,2', '9'].includes(entries.join()), `${cut} ${model}: ${entries}`);
    }
    if (fs.powered) break;
  }
});

test('an entry of another version is left out, and not written over', async () => {
  const fs = new CrashFileSystem();
  const isAny = (value: unknown): value is unknown => value !== undefined;
  const { log } = await AppendLog.open(fs, 'log', isAny);
  for (const entry of [1, 'of another version', null]) await log.append(entry);
  const later = await AppendLog.open(fs, 'log', isNumber);
  assert.equal(later.entries, [1]);
  await later.log.append(2);
  assert.equal((await AppendLog.open(fs, 'log', isAny)).entries, [1, 'of another version', null, 2]);
});

test.run();
