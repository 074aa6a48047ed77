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
  put('sdk/app/build.ts', "import { a } from '../a.ts'; import { b } from '../cli/b.ts'; console.log(a, b);");
  for (const f of ['app/export', 'app/inspect', 'app/session', 'measure/oracle/ort']) put(`sdk/${f}.ts`, 'export {};');
  put('tools/quality/child.ts', 'export {};');
  put('tools/quality/present/page.ts', 'export {};');
  put('sdk/a.ts', 'export const a = 1;');
  put('sdk/cli/b.ts', 'export const b = 1;');
  put('sdk/other.ts', 'export const c = 1;');
  put('profiles/p.json', '{}');
});
test.after(() => rmSync(root, { recursive: true, force: true }));

test('results are of other sources when what computes changes, not when what shows or is not used does', async () => {
  const before = await sourcesHash(root);
  put('sdk/cli/b.ts', 'export const b = 2;');
  put('sdk/other.ts', 'export const c = 2;');
  put('tools/quality/present/page.ts', '');
  assert.is(await sourcesHash(root), before);
  put('sdk/a.ts', 'export const a = 2;');
  const after = await sourcesHash(root);
  assert.is.not(after, before);
  put('profiles/p.json', '{ }');
  assert.is.not(await sourcesHash(root), after);
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
