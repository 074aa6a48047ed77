import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { diagnose } from '../../../sdk/app/doctor.ts';

test('a compiler that was named and is not there is said to be that, not to be installed', async () => {
  const findings = await diagnose({ EIGEN_CC: 'no-such-compiler', EIGEN_CACHE: 'off' });
  const compilers = findings.filter((f) => f.name.startsWith('compiler for '));
  assert.ok(compilers.length > 0);
  for (const { status, found, remedy } of compilers) {
    assert.is(status, 'optional');
    assert.is(found, "'no-such-compiler' does not answer");
    assert.match(remedy ?? '', /EIGEN_CC/);
  }
});

test('what is not there says what it is for or how to get it', async () => {
  for (const f of await diagnose({ EIGEN_CACHE: 'off' })) assert.is(f.remedy === undefined, f.status === 'ok', f.name);
});

test('a cache that can be nowhere stops every build, one that is off none', async () => {
  const cache = async (place: string) => (await diagnose({ EIGEN_CACHE: place })).find((f) => f.name === 'cache')!;
  const nowhere = await cache(`${process.execPath}/cache`);
  assert.is(nowhere.status, 'missing');
  assert.match(nowhere.remedy ?? '', /EIGEN_CACHE/);
  assert.is((await cache('off')).status, 'optional');
});

test.run();
