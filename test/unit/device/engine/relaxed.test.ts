import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileModule, knowsRelaxed, RELAXED_MODULE } from '../../../../sdk/device/engine/relaxed.ts';

const FLAG = '-experimental-wasm-relaxed-simd';
const THREADS = 3;
const MODULES = 400;

/** What this Node does by itself. */
const known = knowsRelaxed();

function refuses(bytes: Uint8Array): void {
  assert.throws(
    () => compileModule(bytes),
    (e: unknown) => e instanceof WebAssembly.CompileError,
  );
}

test('relaxed instructions are known for as long as a module is compiled', () => {
  assert.ok(compileModule(RELAXED_MODULE) instanceof WebAssembly.Module);
  assert.is(knowsRelaxed(), known);
});

test('a module that is not one is refused, and the flag left as it was', () => {
  refuses(RELAXED_MODULE.subarray(0, -1));
  assert.is(knowsRelaxed(), known);
  if (!known) setFlagsFromString(`-${FLAG}`);
  refuses(RELAXED_MODULE.subarray(0, -1));
  compileModule(RELAXED_MODULE);
  assert.ok(knowsRelaxed());
  if (!known) setFlagsFromString(`--no${FLAG}`);
});

test('threads that compile at the same time do not take the flag from each other', async () => {
  const files = [import.meta.resolve('tsx/esm/api'), import.meta.resolve('../../../../sdk/device/engine/relaxed.ts')];
  // Every module is another one, by a section that means nothing: an engine compiles none twice.
  const program = `
    const { parentPort, workerData: [[loader, file], thread] } = require('node:worker_threads');
    import(loader).then(({ register }) => { register(); return import(file); }).then(({ compileModule, RELAXED_MODULE }) => {
      for (let i = 0; i < ${MODULES}; i++) compileModule(Uint8Array.from([...RELAXED_MODULE, 0, 5, 1, 120, thread, i & 255, i >> 8]));
      parentPort.postMessage('compiled');
    });`;
  const done = Array.from({ length: THREADS }, (_, thread) => {
    const worker = new Worker(program, { eval: true, execArgv: [], workerData: [files, thread] });
    return new Promise<string>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  assert.equal(await Promise.all(done), new Array(THREADS).fill('compiled'));
  assert.is(knowsRelaxed(), known);
});

test.run();
