import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findCompiler } from '../../../../sdk/compile/toolchains/compiler.ts';
import { sharedObjects } from '../../../../sdk/compile/toolchains/shared-object.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';

/** A program that is there wherever tests run, and answers --version. */
const ANY = process.execPath;

test("the user's own compiler is the only one that is asked, with its arguments", async () => {
  const own = await findCompiler('linux-x64', `${ANY} --no-warnings`);
  assert.is(own?.command, ANY);
  assert.equal(own?.args, ['--no-warnings']);
  assert.is(own?.kind, 'own');
  assert.is(own?.version, process.version);
  assert.is(await findCompiler('linux-x64', 'no-such-compiler'), undefined);
});

test('without a compiler building says what to do', async () => {
  const target = sharedObjects('linux-arm64');
  assert.is(await target.toolchain('no-such-compiler'), undefined);
  try {
    await target.build('', { id: 'neon', defines: [], flags: [] }, [], { own: 'no-such-compiler' });
    assert.unreachable();
  } catch (e) {
    assert.ok(isEigenError(e) && e.code === 'EW5001_TOOL_MISSING');
    assert.match(e.hint ?? '', /EIGEN_CC/);
  }
});

test.run();
