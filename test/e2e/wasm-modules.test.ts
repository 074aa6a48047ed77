import { readFileSync } from 'node:fs';
import { inflateRawSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateLinalg } from '../../tools/generate-linalg.ts';
import { generateRans } from '../../tools/generate-rans.ts';

const checkedIn = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

/** The module in a text; what deflates it differs from Node to Node. */
const inflated = (text: string): Buffer =>
  inflateRawSync(Buffer.from((text.match(/'[\w+/=]+'/g) ?? []).join('').replaceAll("'", ''), 'base64'));

test('sdk/util/linalg/wasm.ts is what tools/generate-linalg.ts makes of linalg.c', async () => {
  assert.is(await generateLinalg(), checkedIn('sdk/util/linalg/wasm.ts'));
});

test('sdk/wire/rans-wasm.ts is what tools/generate-rans.ts makes of rans.c', async () => {
  assert.equal(inflated(await generateRans()), inflated(checkedIn('sdk/wire/rans-wasm.ts')));
});

test.run();
