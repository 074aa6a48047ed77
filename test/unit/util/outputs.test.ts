import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { checkOutput } from '../../../sdk/util/outputs.ts';

let folder = '';
const at = (name: string): string => join(folder, name);

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'outputs-'));
  for (const name of ['model.onnx', 'old.ewb']) writeFileSync(at(name), name);
  mkdirSync(at('sub'));
  symlinkSync(at('model.onnx'), at('link.ewb'));
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

const refused = async (path: string, code: string, words: string): Promise<void> => {
  try {
    await checkOutput(path, [at('model.onnx'), at('absent.npz')]);
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === code && e.message.includes(words) && e.hint, String(e));
    return;
  }
  assert.unreachable(`${path} was accepted`);
};

test('new files, old files, and folders that are not there yet', async () => {
  for (const name of ['new.ewb', 'old.ewb', 'sub/new.ewb', 'more/and/more/new.ewb'])
    await checkOutput(at(name), [at('model.onnx')]);
});

test('a file that is read is not written over, whatever it is called', async () => {
  for (const name of ['model.onnx', 'sub/../model.onnx', 'link.ewb'])
    await refused(at(name), 'EW1001_USAGE', 'is read');
});

test('what is no file, or in no folder', async () => {
  await refused(at('sub'), 'EW1003_WRITE_FAILED', 'it is a folder');
  await refused('/dev/null', 'EW1003_WRITE_FAILED', 'it is a device');
  await refused(at('old.ewb/new.ewb'), 'EW1003_WRITE_FAILED', 'old.ewb is no folder');
});

test.run();
