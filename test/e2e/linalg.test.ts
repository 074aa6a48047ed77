import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { generateLinalg } from '../../tools/generate-linalg.ts';

test('sdk/util/linalg/wasm.ts is what tools/generate-linalg.ts makes of linalg.c', async () => {
  const checkedIn = readFileSync(new URL('../../sdk/util/linalg/wasm.ts', import.meta.url), 'utf8');
  assert.is(await generateLinalg(), checkedIn);
});

test.run();
