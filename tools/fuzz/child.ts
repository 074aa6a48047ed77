/** NAME FROM TO: tries these inputs on a target and tells the parent how far it has come. */
import { fuzz } from '../../test/support/fuzz/target.ts';
import { FUZZ_TARGETS } from '../../test/support/fuzz/targets.ts';
import type { Told } from './process.ts';

/** Milliseconds between two signs of life. */
const OFTEN = 500;

const [name, from, to] = process.argv.slice(2) as [string, string, string];
const tell = (told: Told): void => void process.send!(told);
let said = 0;

const target = FUZZ_TARGETS.find((t) => t.name === name)!;
tell({ input: Number(from) });
try {
  const report = await fuzz(target, [Number(from), Number(to)], (input) => {
    const now = performance.now();
    if (now - said < OFTEN) return;
    said = now;
    tell({ input });
  });
  tell({ report });
} catch (e) {
  tell({ wrong: e instanceof Error ? `${e.message}\n${e.cause instanceof Error ? e.cause.stack : ''}` : String(e) });
}
process.disconnect();
