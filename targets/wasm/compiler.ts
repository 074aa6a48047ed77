import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { pathToFileURL } from 'node:url';
import { EigenError } from '../../sdk/util/errors.ts';
import { collectGarbage } from '../../sdk/util/garbage.ts';
import { PROGRAM } from './compiler-program.ts';

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

/** What a module is made of. */
export interface ModuleRequest {
  /** A C file. */
  readonly source: string;
  /** Arguments of clang and of the linker. */
  readonly compile: readonly string[];
  readonly link: readonly string[];
}

interface Answer {
  readonly id: number;
  readonly bytes?: Uint8Array;
  readonly log?: string;
}

/** Characters of what a process says that are kept. */
const SAID = 4000;

/** A running compiler. */
class Compiler {
  /** Whether it has answered anything: it works, and where its parent is large it ends after that. */
  hasAnswered = false;
  /** The end of what it wrote to stderr. */
  said = '';
  private readonly process: ChildProcess;
  private readonly waiting = new Map<number, (answer: Answer | undefined) => void>();
  private next = 0;

  constructor(entry: string) {
    collectGarbage();
    this.process = spawn(process.execPath, [...FLAGS, '--input-type=module', '-e', PROGRAM], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      env: { ...process.env, EIGEN_COMPILER: entry, NODE_OPTIONS: '', MALLOC_ARENA_MAX: '1' },
    });
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.said = (this.said + text).slice(-SAID);
    });
    this.process.on('message', (answer: Answer) => {
      this.hasAnswered = true;
      this.settle(answer.id, answer);
    });
    this.process.on('error', () => this.lost());
    this.process.on('exit', () => this.leave());
    // After what it said has been read.
    this.process.on('close', () => this.lost());
    this.hold(false);
  }

  /** Resolves to the module's bytes or to what the compiler said, to nothing when the process ended meanwhile. */
  build(module: ModuleRequest): Promise<Answer | undefined> {
    const id = this.next++;
    this.hold(true);
    return new Promise((resolve) => {
      this.waiting.set(id, resolve);
      this.process.send({ id, ...module }, (error) => error && this.process.kill());
    });
  }

  /** Ends it, unless something is waited for: then it ends by itself, later. */
  end(): void {
    if (this.waiting.size > 0) return;
    this.leave();
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
    (this.process.stderr as Socket | null)?.[method]();
  }

  /** What is asked next is asked of another one. */
  private leave(): void {
    if (running === this) running = undefined;
  }

  private lost(): void {
    this.leave();
    for (const id of [...this.waiting.keys()]) this.settle(id, undefined);
  }
}

let running: Compiler | undefined;

/** Processes that may end without an answer to anything before a module is given up: the first may have been about to end. */
const TRIES = 3;

/**
 * Compiles a C file with clang to a WebAssembly module. Throws EW5001_TOOL_MISSING when the package that carries the compiler is not
 * there, EW5002_COMPILER_FAILED with the first error it reports.
 */
export async function compileC(module: ModuleRequest): Promise<Uint8Array> {
  let answer: Answer | undefined;
  let said = '';
  for (let tries = 0; tries < TRIES && !answer; ) {
    running ??= new Compiler(entryPoint());
    const compiler = running;
    answer = await compiler.build(module);
    said = compiler.said;
    // Otherwise it ended because it had made another module, as one does beside a large parent.
    if (!compiler.hasAnswered) tries++;
  }
  if (answer?.bytes) return answer.bytes;
  throw answer?.log === undefined ? ended(said) : refused(answer.log);
}

function refused(log: string): EigenError {
  const message = log.split('\n').find((l) => l.includes('error')) ?? log;
  return new EigenError('EW5002_COMPILER_FAILED', `the kernel compiler failed: ${message}`, {
    hint: 'If memory is not short, this is a defect of the generated code; set EIGEN_DEBUG=1 and report it with the model.',
    details: { log: log.slice(0, 4000) },
  });
}

function ended(said: string): EigenError {
  const why = lastWords(said);
  return new EigenError(
    'EW5002_COMPILER_FAILED',
    `the process of the kernel compiler ended${why ? `: ${why}` : '; is there enough memory?'}`,
    {
      hint: 'It takes 300 MB. If memory is not short, run npm install again: the package @yowasp/clang may be damaged.',
      details: { log: said },
    },
  );
}

/** Of what a process of Node wrote before it ended, the line that says why; empty where it said nothing. */
export function lastWords(said: string): string {
  const lines = said.split('\n').map((l) => l.trim());
  const told = lines.filter((l) => l && !l.startsWith('Node.js v'));
  // Above it is the line of source, below it are the calls.
  return lines.findLast((l) => /^(\w*Error|FATAL ERROR)\b/.test(l)) ?? told.at(-1) ?? '';
}

/** Ends a compiler that waits for more to do; one that is at work for another build goes on. */
export function endCompiler(): void {
  running?.end();
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
