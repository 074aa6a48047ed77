import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError, writeFirmware } from '../../../sdk/index.ts';
import { skip } from '../../../sdk/testing/index.ts';
import { FirmwareFolder, hostCompilers } from '../../support/firmware.ts';
import { smallCnn } from '../../support/small-models.ts';

const BOARD = 'raspberry-pi-pico-2';
let folder = '';
let path = '';

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'eigenweights-firmware-'));
  path = join(folder, 'cnn.onnx');
  await writeFile(path, smallCnn().onnx);
});
test.after(() => rm(folder, { recursive: true, force: true }));

const rejects = async (what: Promise<unknown>, pattern: RegExp): Promise<void> => {
  try {
    await what;
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW1001_USAGE', String(e));
    assert.match((e as Error).message, pattern);
    return;
  }
  assert.unreachable();
};

test('a model becomes a library in float, and the library computes what WebAssembly does', async () => {
  const out = join(folder, 'c');
  const report = await writeFirmware({ path }, { target: BOARD, name: 'model', out });
  assert.is(report.precision, 'f32');
  assert.is(report.fit.fits, true);
  assert.equal((await readdir(out)).sort(), Object.keys(report.files).sort());
  const [compiler] = hostCompilers();
  if (!compiler) return skip('a float library on this machine', 'there is no C compiler (apt install gcc)');
  const files = new Map<string, string>();
  for (const name of Object.keys(report.files)) files.set(name, await readFile(join(out, name), 'utf8'));
  const built = await FirmwareFolder.with(files);
  assert.is((await built.runHere(compiler, ['-O1'])).at(-1), 'right');
  await built.close();
});

test('without a folder nothing is written', async () => {
  const before = await readdir(folder);
  await writeFirmware({ path }, { target: BOARD, name: 'model' });
  assert.equal(await readdir(folder), before);
});

test('a model needs a board, a board a microcontroller, functions a name', async () => {
  await rejects(writeFirmware({ path }, { name: 'model' }), /a model has no board of its own/);
  await rejects(
    writeFirmware({ path }, { name: 'model', target: 'raspberry-pi-5' }),
    /raspberry-pi-5 runs .*, not firmware/,
  );
  await rejects(writeFirmware({ path }, { name: '2 models', target: BOARD }), /is no name for functions in C/);
});

test.run();
