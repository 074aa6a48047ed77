import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { EigenError } from '../../sdk/util/errors.ts';
import { collectGarbage } from '../../sdk/util/garbage.ts';

/**
 * The compiler in a process of its own: 75 MB of WebAssembly that needs 300 MB to run, of which a process gets nothing back, and which a
 * large compression has no room for. The process ends when nothing was asked of it for a while, at once where its parent is large.
 */

/**
 * Optimizing the compiler takes longer than it runs, its few threads' work fits beside no other, and each of these, with one heap for all
 * threads of the C library, is 15 to 40 MB. Most of its functions are never called: validating them would take as long as loading it.
 */
const FLAGS = [
  '--liftoff-only',
  '--wasm-lazy-validation',
  '--single-threaded',
  '--max-semi-space-size=2',
  '--expose-gc',
] as const;

/**
 * Loading the compiler again and compiling its functions anew takes a second, but a second module takes 60 MB more than the first, and what
 * follows may need the memory. So it stays for a while beside a parent of less than this many kilobytes, as the compression of a small
 * network is, and ends after one module beside a larger one.
 */
const SMALL_PARENT_KB = 185_000;
const LINGER_MS = 10_000;
/** Time between two looks at the parent. */
const LOOK_MS = 50;

/** The headers that kernels include, of a tar file with 12 MB of headers and as much of libraries. */
const HEADERS = String.raw`/^(\.\/)?include\/?((wasm_simd128|(__)?std\w+)\.h)?$/`;

/**
 * The process's program, as text so that it needs no file beside the bundled SDK and no loader. The package fetches its files and streams
 * them into the engine, which would copy them several times; as much of a Response as it asks for hands on the bytes that they are.
 */
const PROGRAM = `
const isWasm = (bytes) => bytes[0] === 0;
function headersOf(tar) {
  const kept = [];
  for (let at = 0; tar[at] > 0; ) {
    const text = (from, to) => Buffer.from(tar.buffer, tar.byteOffset + at + from, to - from).toString('latin1').replace(/\\0.*/s, '');
    const next = at + 512 * (1 + Math.ceil(parseInt(text(124, 136), 8) / 512));
    if (${HEADERS}.test(text(0, 100))) kept.push(tar.subarray(at, next));
    at = next;
  }
  return new Uint8Array(Buffer.concat([...kept, new Uint8Array(1024)]));
}
class Body { constructor(bytes) { this.bytes = bytes; } pipeThrough() { return this; } }
globalThis.Response = class {
  constructor(content) { this.body = content instanceof Body ? content : new Body(content); }
  async arrayBuffer() {
    const { bytes } = this.body;
    const { buffer, byteOffset, byteLength } = isWasm(bytes) ? bytes : headersOf(bytes);
    return byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
  }
};
WebAssembly.compileStreaming = async (source) => new WebAssembly.Module(await (await source).arrayBuffer());
const { runClang } = await import(process.env.EIGEN_COMPILER);
const { readFileSync } = await import('node:fs');
// Where the system does not tell, the parent counts as large.
function besideSmall() {
  try {
    return Number(/^VmRSS:\\s+(\\d+)/m.exec(readFileSync('/proc/' + process.ppid + '/status', 'utf8'))[1]) < ${SMALL_PARENT_KB};
  } catch {
    return false;
  }
}
function linger(spent) {
  if (spent >= ${LINGER_MS} || !besideSmall()) process.exit();
  idle = setTimeout(linger, ${LOOK_MS}, spent + ${LOOK_MS});
}
process.on('disconnect', () => process.exit());
// Counted here and not where it is used: that thread may be busy for long.
let idle;
let pending = 0;
let queue = Promise.resolve();
process.on('message', (request) => {
  clearTimeout(idle);
  pending++;
  queue = queue.then(() => compile(request));
});
async function compile({ id, source, flags }) {
  // The memory of the one before, once nothing is under way in it.
  await new Promise(setImmediate);
  gc();
  let log = '';
  const print = (bytes) => { if (bytes) log += Buffer.from(bytes).toString(); };
  let answer;
  try {
    // A run that has to load the compiler prints its progress.
    await runClang(undefined, {}, { fetchProgress: () => {} });
    const out = await runClang(['clang', ...flags, 'kernels.c', '-o', 'kernels.wasm'], { 'kernels.c': source }, { stdout: print, stderr: print });
    answer = { id, bytes: out['kernels.wasm'] };
  } catch (error) {
    answer = { id, log: log || String(error) };
  }
  await new Promise((sent) => process.send(answer, sent));
  if (--pending === 0) linger(0);
}
`;

interface Answer {
  readonly id: number;
  readonly bytes?: Uint8Array;
  readonly log?: string;
}

/** A running compiler. */
class Compiler {
  private readonly process: ChildProcess;
  private readonly waiting = new Map<number, (answer: Answer | undefined) => void>();
  private next = 0;

  constructor(entry: string) {
    collectGarbage();
    this.process = spawn(process.execPath, [...FLAGS, '--input-type=module', '-e', PROGRAM], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, EIGEN_COMPILER: entry, NODE_OPTIONS: '', MALLOC_ARENA_MAX: '1' },
    });
    this.process.on('message', (answer: Answer) => this.settle(answer.id, answer));
    this.process.on('error', () => this.lost());
    this.process.on('exit', () => this.lost());
    this.hold(false);
  }

  /** Resolves to the module's bytes or to what the compiler said, to nothing when the process ended meanwhile. */
  compile(source: string, flags: readonly string[]): Promise<Answer | undefined> {
    const id = this.next++;
    this.hold(true);
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.process.send({ id, source, flags }, (error) => error && this.lost());
    });
  }

  end(): void {
    this.process.kill();
  }

  private settle(id: number, answer: Answer | undefined): void {
    this.waiting.get(id)?.(answer);
    this.waiting.delete(id);
    if (this.waiting.size === 0) this.hold(false);
  }

  /** A compiler at work keeps the program alive, an idle one does not. */
  private hold(busy: boolean): void {
    const method = busy ? 'ref' : 'unref';
    this.process[method]();
    this.process.channel?.[method]();
  }

  private lost(): void {
    if (running === this) running = undefined;
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined);
  }
}

let running: Compiler | undefined;

/** Processes that are asked for one module: the first may have been about to end. */
const TRIES = 3;
/** One module after another. */
let queue: Promise<unknown> = Promise.resolve();

/**
 * Compiles one C file with clang to WebAssembly. Throws EW5001_TOOL_MISSING when the package that carries the compiler is not there,
 * EW5002_COMPILER_FAILED with the first error it reports.
 */
export function compileC(source: string, flags: readonly string[]): Promise<Uint8Array> {
  const result = queue.then(() => compileNext(source, flags));
  queue = result.catch(() => undefined);
  return result;
}

async function compileNext(source: string, flags: readonly string[]): Promise<Uint8Array> {
  let answer: Answer | undefined;
  for (let i = 0; i < TRIES && !answer; i++) {
    running ??= new Compiler(entryPoint());
    answer = await running.compile(source, flags);
  }
  if (answer?.bytes) return answer.bytes;
  const log = answer?.log ?? 'its process ended; is there enough memory?';
  throw new EigenError(
    'EW5002_COMPILER_FAILED',
    `the kernel compiler failed: ${log.split('\n').find((l) => l.includes('error')) ?? log}`,
    {
      hint: 'If memory is not short, this is a defect of the generated code; set EIGEN_DEBUG=1 and report it with the model.',
      details: { log: log.slice(0, 4000) },
    },
  );
}

/** Ends a compiler that waits for more to do. */
export function endCompiler(): void {
  running?.end();
  running = undefined;
}

function entryPoint(): string {
  try {
    return pathToFileURL(createRequire(import.meta.url).resolve('@yowasp/clang')).href;
  } catch (cause) {
    throw new EigenError('EW5001_TOOL_MISSING', 'the package @yowasp/clang is not installed', {
      hint: 'Run npm install; it carries the compiler for kernels.',
      cause,
    });
  }
}
