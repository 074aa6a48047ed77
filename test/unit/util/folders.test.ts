import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isNoPlace, makeFolder } from '../../../sdk/util/folders.ts';

const folder = mkdtempSync(join(tmpdir(), 'eigenweights-folders-'));
test.after(() => rmSync(folder, { recursive: true }));

const problem = (path: string): Promise<unknown> =>
  makeFolder(path).then(
    () => undefined,
    (e: unknown) => e,
  );

test('folders are made with those they are in, several times and by several at once', async () => {
  const path = join(folder, 'a', 'b', 'c');
  await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700), makeFolder(join(folder, 'a', 'd'), 0o700)]);
  await makeFolder(path);
  assert.is(statSync(path).mode & 0o777, 0o700);
});

test('where a file is in the way, and where the system makes no folders, it ends with what the system says', async () => {
  writeFileSync(join(folder, 'file'), '');
  assert.ok(isNoPlace(await problem(join(folder, 'file'))));
  assert.ok(isNoPlace(await problem(join(folder, 'file', 'a', 'b'))));
  if (process.platform === 'linux') assert.ok(isNoPlace(await problem('/proc/cache/kernels')));
});

test.run();
