import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../../sdk/cli/app.ts';
import { COMMANDS } from '../../../sdk/cli/commands/index.ts';
import { EXPLANATIONS } from '../../../sdk/cli/explain.ts';
import { fakeIo } from '../../support/cli-io.ts';

test('every error code has a text, and every text a code', () => {
  const source = readFileSync(new URL('../../../sdk/util/errors.ts', import.meta.url), 'utf8');
  const codes = [...source.matchAll(/^ {2}\| '(EW\d{4}_[A-Z_]+)'/gm)].map((m) => m[1]!);
  assert.ok(codes.length > 20);
  assert.equal(Object.keys(EXPLANATIONS).sort(), codes.sort());
});

test('every error code is thrown somewhere', () => {
  const root = new URL('../../../', import.meta.url);
  const sources = ['sdk', 'targets'].flatMap((folder) =>
    readdirSync(new URL(folder, root), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts') && !/(^|[/\\])(errors|explain)\.ts$/.test(path))
      .map((path) => readFileSync(new URL(`${folder}/${path}`, root), 'utf8')),
  );
  const text = sources.join('\n');
  const unused = Object.keys(EXPLANATIONS).filter((code) => !text.includes(`'${code}'`));
  assert.equal(unused, []);
});

test('a code may be given without its words, in any case', async () => {
  const io = fakeIo();
  assert.is(await runCli(['explain', 'ew4001'], COMMANDS, io), 0);
  assert.match(io.out(), 'EW4001_QUALITY_NOT_MET  (exit code 4)');
});

test('a wrong code gets a suggestion', async () => {
  const io = fakeIo();
  assert.is(await runCli(['explain', 'EW9001'], COMMANDS, io), 2);
  assert.match(io.err(), 'did you mean EW');
});

test.run();
