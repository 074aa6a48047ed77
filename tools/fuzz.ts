/**
 * Tries bytes from outside on everything that reads such: messages, bundles, deltas, journals, signed metadata. The same inputs every time;
 * an input that takes longer than ten seconds hangs. Ends with 1 at the first that goes wrong.
 *
 * --inputs N    how many, in all (1000000)
 * --target NAME only this one
 * --from N      first input of every target (0)
 */
import { parseArgs } from 'node:util';
import { FUZZ_TARGETS } from '../test/support/fuzz/targets.ts';
import { runFuzz } from './fuzz/process.ts';
import { aligned } from './speed/present/tables.ts';

const { values } = parseArgs({
  options: {
    inputs: { type: 'string', default: '1000000' },
    target: { type: 'string' },
    from: { type: 'string', default: '0' },
  },
});
const targets = FUZZ_TARGETS.filter((t) => values.target === undefined || t.name === values.target);
const shares = targets.reduce((sum, t) => sum + t.share, 0);
const rows: string[][] = [];
let inputs = 0;
for (const { name, share } of targets) {
  const from = Number(values.from);
  const report = await runFuzz(name, [from, from + Math.round((Number(values.inputs) * share) / shares)]);
  inputs += report.inputs;
  rows.push([
    name,
    String(report.inputs),
    String(report.inputs - report.taken),
    String(report.taken),
    report.longest.toFixed(1),
  ]);
  console.error(rows.at(-1)!.join('  '));
}
console.log(aligned([['', 'inputs', 'refused', 'taken', 'longest, ms'], ...rows]));
console.log(`${inputs} inputs: 0 crashes, 0 hangs, 0 accepted that are not what they say`);
