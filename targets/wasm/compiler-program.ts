/**
 * The program of the compiler's process, as text so that it needs no file beside the bundled SDK and no loader.
 */

/**
 * Beside a parent of less than this many kilobytes, as the compression of a small network is, there is room for a second thread, which takes
 * 70 MB, and the process stays for a while: loading the compiler again and compiling its functions anew takes a second. Beside a larger one
 * it has one thread, and ends when nothing is left to do: what follows may need the memory.
 */
const SMALL_PARENT_KB = 205_000;
const LINGER_MS = 10_000;
/** Time between two looks at the parent. */
const LOOK_MS = 50;

/** The headers that kernels include, of a tar file with 12 MB of headers and as much of libraries. */
const HEADERS = String.raw`/^(\.\/)?include\/?((wasm_simd128|(__)?std\w+)\.h)?$/`;

/**
 * What each thread runs. The package fetches its files and streams them into the engine, which would copy them several times; as much of
 * files and responses as it asks for hands on modules that are there, which threads share with all the code that was made of them.
 * Answers with the file that is wanted, or what the compiler said.
 */
const THREAD = `
async function openCompiler({ entry, modules, headers }) {
  const { runLLVM } = await import(entry);
  const files = (await import('node:fs/promises')).default;
  const { readFile } = files;
  const { syncBuiltinESMExports } = await import('node:module');
  files.readFile = async (url) => ({ name: url.pathname.split('/').at(-1), length: 0 });
  syncBuiltinESMExports();
  class Body { constructor(file) { this.file = file; } pipeThrough() { return this; } }
  globalThis.Response = class {
    constructor(content) { this.body = content instanceof Body ? content : new Body(content); }
    async arrayBuffer() { return headers; }
  };
  WebAssembly.compileStreaming = async (source) => modules[(await source).body.file.name];
  // A run that has to load the compiler prints its progress.
  await runLLVM(undefined, {}, { fetchProgress: () => {} });
  files.readFile = readFile;
  syncBuiltinESMExports();
  return async ({ args, files, wanted }) => {
    // The memory of the one before, once nothing is under way in it.
    await new Promise(setImmediate);
    gc();
    let log = '';
    const print = (bytes) => { if (bytes) log += Buffer.from(bytes).toString(); };
    try {
      const made = await runLLVM(args, files, { stdout: print, stderr: print, decodeASCII: false });
      return { bytes: made[wanted] };
    } catch (error) {
      return { log: log || String(error) };
    } finally {
      // Also when nothing follows: the parent may need the memory.
      setTimeout(gc, 1);
    }
  };
}
`;

const SECOND_THREAD = `
import { parentPort, workerData } from 'node:worker_threads';
${THREAD}
const run = openCompiler(workerData);
parentPort.on('message', async (job) => parentPort.postMessage(await (await run)(job)));
`;

/** Takes modules to compile as messages (see compiler.ts). */
export const PROGRAM = `
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
${THREAD}
const entry = process.env.EIGEN_COMPILER;
const fileOf = (name) => new URL(name, entry);
function headersOf(tar) {
  const kept = [];
  for (let at = 0; tar[at] > 0; ) {
    const text = (from, to) => Buffer.from(tar.buffer, tar.byteOffset + at + from, to - from).toString('latin1').replace(/\\0.*/s, '');
    const next = at + 512 * (1 + Math.ceil(parseInt(text(124, 136), 8) / 512));
    if (${HEADERS}.test(text(0, 100))) kept.push(tar.subarray(at, next));
    at = next;
  }
  return new Uint8Array(Buffer.concat([...kept, new Uint8Array(1024)])).buffer;
}
const modules = {};
for (const n of ['', '2', '3', '4']) {
  const name = 'llvm.core' + n + '.wasm';
  if (existsSync(fileOf(name))) modules[name] = new WebAssembly.Module(readFileSync(fileOf(name)));
}
const parts = { entry, modules, headers: headersOf(readFileSync(fileOf('llvm-resources.tar'))) };
const run = await openCompiler(parts);
// Where the system does not tell, the parent counts as large.
function besideSmall() {
  try {
    return Number(/^VmRSS:\\s+(\\d+)/m.exec(readFileSync('/proc/' + process.ppid + '/status', 'utf8'))[1]) < ${SMALL_PARENT_KB};
  } catch {
    return false;
  }
}

// The second thread is asked first, so that this one can still hear of the next job.
let second;
const free = { first: true, second: availableParallelism() > 1 && besideSmall() };
const jobs = [];
function start() {
  if (free.second && jobs.length > 0) {
    free.second = false;
    const { job, done } = jobs.shift();
    second ??= new Worker(${JSON.stringify(SECOND_THREAD)}, { eval: true, workerData: parts });
    second.once('message', (answer) => { free.second = true; done(answer); start(); });
    second.postMessage(job);
  }
  if (free.first && jobs.length > 0) {
    free.first = false;
    const { job, done } = jobs.shift();
    run(job).then((answer) => { free.first = true; done(answer); start(); });
  }
}
const result = (job) => new Promise((done) => { jobs.push({ job, done }); start(); });

async function build({ source, compile, link }) {
  const { bytes, ...failed } =
    await result({ args: ['clang', ...compile, '-o', 'kernels.o', 'kernels.c'], files: { 'kernels.c': source }, wanted: 'kernels.o' });
  if (!bytes) return failed;
  return result({ args: ['wasm-ld', ...link, 'kernels.o', '-o', 'kernels.wasm'], files: { 'kernels.o': bytes }, wanted: 'kernels.wasm' });
}

function linger(spent) {
  if (spent >= ${LINGER_MS} || !besideSmall()) process.exit();
  idle = setTimeout(linger, ${LOOK_MS}, spent + ${LOOK_MS});
}
// Counted here and not where it is used: that thread may be busy for long.
let idle;
let pending = 0;
let queue = Promise.resolve();
const oneByOne = !free.second;
process.on('disconnect', () => process.exit());
process.on('message', async ({ id, ...module }) => {
  clearTimeout(idle);
  pending++;
  const built = oneByOne ? queue.then(() => build(module)) : build(module);
  queue = built.then((answer) => new Promise((sent) => process.send({ id, ...answer }, sent)));
  await queue;
  // A second module takes 60 MB more than the first: what waits is asked of the next process.
  if (--pending === 0) linger(0);
  else if (oneByOne && !besideSmall()) process.exit();
});
`;
