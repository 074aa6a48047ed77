/**
 * A small program that has kernels compiled, as it is shipped: without a loader of TypeScript, which would make it larger.
 * `rule`: a module while it is small, two at once, two more after it has grown, and tells which processes it has.
 * `many`: five at once, beside more than leaves room for two in one process.
 * `rest`: a module while another build says that the compiler may end.
 * `bundle MODEL OUT MEGABYTES`: a bundle for this machine, beside so much that the program holds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { buildFloat } from '../../sdk/index.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';

const [mode, ...args] = process.argv.slice(2);
const held: Buffer[] = [];
const grow = (megabytes: number): void => void held.push(Buffer.alloc(megabytes * 1e6, 1));

/** Processes that this one has started and that have not ended. */
function children(): number[] {
  const parentOf = (pid: string): number => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'utf8');
      return /^State:\s+Z/m.test(status) ? 0 : Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]);
    } catch {
      return 0;
    }
  };
  return readdirSync('/proc')
    .filter((e) => /^\d+$/.test(e) && parentOf(e) === process.pid)
    .map(Number);
}

async function ended(pids: readonly number[]): Promise<void> {
  while (children().some((pid) => pids.includes(pid))) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function compile(value: number): Promise<number> {
  const source = `int ew_step_0(void) { return ${value}; }`;
  const { bytes } = await wasmTarget.build(source, wasmTarget.variants[0]!, ['ew_step_0']);
  return bytes.length;
}

if (mode === 'rule') {
  await compile(1);
  const first = children();
  await Promise.all([compile(2), compile(3)]);
  const second = children();
  grow(400);
  // It looks at its parent while it waits for more.
  await ended(second);
  await Promise.all([compile(4), compile(5)]);
  await ended(children());
  console.log(JSON.stringify({ first, second }));
  wasmTarget.rest?.();
} else if (mode === 'many') {
  grow(400);
  console.log(JSON.stringify(await Promise.all([1, 2, 3, 4, 5].map(compile))));
  wasmTarget.rest?.();
} else if (mode === 'rest') {
  const work = compile(1);
  while (children().length === 0) await new Promise(setImmediate);
  const before = children();
  wasmTarget.rest?.();
  await work;
  console.log(JSON.stringify({ before, after: children() }));
  wasmTarget.rest?.();
} else {
  const [path = '', out = '', megabytes] = args;
  grow(Number(megabytes));
  const { native } = await buildFloat({ path }, { target: 'host', how: { kernels: 'optimized' }, out });
  console.log(JSON.stringify(native));
}
