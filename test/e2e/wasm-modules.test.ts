import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateLinalg } from '../../tools/generate-linalg.ts';
import { generateRans } from '../../tools/generate-rans.ts';

const checkedIn = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test('sdk/util/linalg/wasm.ts is what tools/generate-linalg.ts makes of linalg.c', async () => {
  assert.is(await generateLinalg(), checkedIn('sdk/util/linalg/wasm.ts'));
});

test('sdk/wire/rans-wasm.ts is what tools/generate-rans.ts makes of rans.c', async () => {
  assert.is(await generateRans(), checkedIn('sdk/wire/rans-wasm.ts'));
});

test.run();
