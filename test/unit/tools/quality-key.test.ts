import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keyOf, sourcesHash } from '../../../tools/quality/key.ts';
import { TASKS } from '../../../tools/quality/tasks.ts';

let root = '';
const put = (path: string, text: string): void => {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
};

test.before(() => {
  root = mkdtempSync(join(tmpdir(), 'eigenweights-key-'));
  for (const f of ['sdk/a.ts', 'sdk/cli/b.ts', 'targets/t.ts', 'profiles/p.json', 'tools/quality/present/page.ts'])
    put(f, 'one');
});
test.after(() => rmSync(root, { recursive: true, force: true }));

test('results are of other sources when what computes changes, not when what shows does', async () => {
  const before = await sourcesHash(root);
  put('sdk/cli/b.ts', 'two');
  put('tools/quality/present/page.ts', 'two');
  assert.is(await sourcesHash(root), before);
  put('targets/t.ts', 'two');
  assert.is.not(await sourcesHash(root), before);
});

test('the key of a task holds its data, its settings and the limit', async () => {
  const [kws] = TASKS;
  put('kws_dscnn/model.onnx', 'one');
  const key = await keyOf(kws!, root, 'sources', 'all');
  assert.is(await keyOf(kws!, root, 'sources', 'all'), key);
  assert.is.not(await keyOf(kws!, root, 'sources', '50'), key);
  assert.is.not(await keyOf(kws!, root, 'others', 'all'), key);
  put('kws_dscnn/eval.npz', 'new');
  assert.is.not(await keyOf(kws!, root, 'sources', 'all'), key);
});

test.run();
