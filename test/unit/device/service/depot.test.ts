import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { replaceFile } from '../../../../sdk/device/fs/whole-files.ts';
import { folderUpstream } from '../../../../sdk/device/service/depot.ts';
import { CrashFileSystem } from '../../../../sdk/testing/crash-file-system.ts';
import { systemClock } from '../../../../sdk/util/clock.ts';
import { codeOf } from '../../../support/fake-model.ts';
import { assign, blobOf } from '../../../support/versions.ts';

const write = (fs: CrashFileSystem, value: unknown) =>
  replaceFile(fs, 'model.json', new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value)));

test('what is in the folder is what is assigned, with defaults', async () => {
  const fs = new CrashFileSystem();
  const { model, agent } = folderUpstream(fs, systemClock).directors;
  assert.is(await model.assignment(), undefined);
  await write(fs, { release: 4, board: 'board', blob: blobOf(1), probation: { milliseconds: 7 } });
  assert.equal(await model.assignment(), assign(1, { release: 4, probation: { milliseconds: 7 } }));
  assert.is(await agent.assignment(), undefined);
});

test('a wrong file is refused, naming the field', async () => {
  const fs = new CrashFileSystem();
  const { model } = folderUpstream(fs, systemClock).directors;
  await write(fs, '{ "release": 4');
  assert.is(await codeOf(model.assignment()), 'EW7004_UPDATE_REFUSED');
  await write(fs, { ...assign(1), blob: { ...blobOf(1), sha256: '../x' } });
  await model.assignment().then(
    () => assert.unreachable(),
    (e: Error) => assert.match(e.message, /model\.json: blob\.sha256: must be a SHA-256/),
  );
});

test.run();
