import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lastWords } from '../../../../targets/wasm/compiler.ts';

/** What a program says that ends by itself. */
const said = (program: string, ...flags: string[]): string =>
  spawnSync(process.execPath, [...flags, '--input-type=module', '-e', program], { encoding: 'utf8' }).stderr;

test('why a process ended is taken from what it said', () => {
  assert.is(lastWords(said("throw new RangeError('no room')")), 'RangeError: no room');
  assert.match(
    lastWords(said('await import("./no-such-file.mjs")')),
    /^Error \[ERR_MODULE_NOT_FOUND\]: .*no-such-file/,
  );
  assert.match(lastWords(said('', '--no-such-flag')), /bad option: --no-such-flag/);
  assert.is(lastWords(said('process.exit(1)')), '');
});

test.run();
