import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Ledger, retryAt } from '../../../../sdk/device/agent/ledger.ts';
import { readIfThere } from '../../../../sdk/device/fs/whole-files.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';

const attempt = (sha256: string, release = 1, poisoned = false) => ({
  sha256,
  release,
  at: 5,
  step: 'VERIFY' as const,
  code: 'EIO',
  reason: 'it broke',
  poisoned,
});

test('failures are counted by release, and after eight attempts it is enough', async () => {
  const fs = new CrashFileSystem();
  const ledger = await Ledger.open(fs, 'journal');
  for (let i = 1; i <= 8; i++) {
    const failure = await ledger.fail(attempt('x'));
    assert.is(failure.attempts, i);
    assert.is(failure.poisoned, i === 8);
  }
  const later = await Ledger.open(fs.crash('lost'), 'journal');
  assert.equal(later.failureOf('x'), { ...attempt('x'), attempts: 8, costly: 8, poisoned: true });
  assert.is((await later.fail(attempt('x', 2))).attempts, 1);
  assert.is(later.failureOf('x')!.poisoned, false);
});

test('waiting for a network is no reason to give up, fetching the wrong bytes again and again is', async () => {
  const ledger = await Ledger.open(new CrashFileSystem(), 'journal');
  for (let i = 0; i < 50; i++) await ledger.fail({ ...attempt('x'), step: 'FETCH', code: 'ECONNREFUSED' });
  assert.is(ledger.failureOf('x')!.poisoned, false);
  assert.ok(retryAt(ledger.failureOf('x')!, 'device') <= 5 + 6 * 3600_000);
  const fetching = { ...attempt('x'), step: 'FETCH' } as const;
  const refused = { ...fetching, code: 'EW7002_PIECE_REFUSED' };
  const named = { ...fetching, code: 'EW7104_SOURCE_FAILED', attack: 'arbitrary-installation' };
  const poisoned: boolean[] = [];
  for (const wrong of [refused, named, refused, named, refused, named, refused, named])
    poisoned.push((await ledger.fail(wrong)).poisoned);
  assert.equal(poisoned, [...Array(7).fill(false), true]);
});

test('an outcome is there until it was reported, also after a power cut', async () => {
  const fs = new CrashFileSystem();
  const ledger = await Ledger.open(fs, 'journal');
  assert.is(ledger.unreported, undefined);
  await ledger.fail(attempt('x'));
  await ledger.commit('x', 1, 9);
  const second = fs.crash('lost');
  const later = await Ledger.open(second, 'journal');
  assert.equal(later.unreported, { kind: 'committed', sha256: 'x', release: 1, at: 9 });
  assert.is(later.failureOf('x'), undefined);
  await later.reported();
  assert.is((await Ledger.open(second.crash('lost'), 'journal')).unreported, undefined);
});

test('a failure counts also where it cannot be written', async () => {
  const fs = new CrashFileSystem();
  const ledger = await Ledger.open(fs, 'journal');
  fs.failAt(0, 'EROFS', Number.POSITIVE_INFINITY);
  await ledger.fail(attempt('x'));
  assert.is(ledger.failureOf('x')!.attempts, 1);
  assert.is(
    await ledger.begin('FETCH', 'x', 1).then(
      () => '',
      (e) => e.code,
    ),
    'EROFS',
  );
});

test('the journal stays small, and what follows from it the same', async () => {
  const fs = new CrashFileSystem();
  const ledger = await Ledger.open(fs, 'journal');
  await ledger.fail(attempt('bad', 3, true));
  for (let i = 0; i < 100; i++) await ledger.fail(attempt(`x${i % 30}`));
  for (let i = 0; i < 100; i++) await ledger.failDelta(`d${i}`, 'no delta');
  for (let i = 0; i < 900; i++) await ledger.begin('FETCH', 'y'.repeat(64), i);
  const bytes = (await readIfThere(fs, 'journal'))!.length;
  assert.ok(bytes < 70_000, `${bytes}`);
  const later = await Ledger.open(fs.crash('lost'), 'journal');
  assert.ok(later.failureOf('bad')!.poisoned);
  assert.is(later.failureOf('x5')!.attempts, 4);
  assert.is(later.deltaProblem('d99'), 'no delta');
  assert.is(later.deltaProblem('d0'), undefined);
  assert.equal(later.unreported, ledger.unreported);
});

test.run();
