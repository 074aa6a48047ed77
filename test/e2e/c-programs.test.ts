// timeout: 240
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { differences } from '../support/c-programs/compare.ts';
import { cProgram } from '../support/c-programs/program.ts';

/** Random C of the kind that emitters write, and some that they do not: all bits are clang's. */

const SEEDS = 12;
const FUNCTIONS = 5;
const RUNS = 6;

test('what the kernel compiler makes of random programs computes what clang makes of them', async () => {
  const programs = Array.from({ length: SEEDS }, (_, i) => cProgram(i + 1, FUNCTIONS));
  const found = await differences(programs, RUNS);
  const told = found.map((d) => `seed ${d.seed}\n${d.found.join('\n')}\n${d.source}`);
  assert.is(told.join('\n\n'), '');
});

test('a seed is always the same program', () => {
  assert.equal(cProgram(7, 3), cProgram(7, 3));
  assert.is.not(cProgram(7, 3).source, cProgram(8, 3).source);
});

test.run();
