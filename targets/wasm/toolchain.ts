import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { KernelVariant } from '../../sdk/compile/target.ts';
import { cached } from '../../sdk/util/cache.ts';
import { EigenError } from '../../sdk/util/errors.ts';
import type { KernelModule } from '../../sdk/wire/kernels.ts';

/** Bumped when flags below change, so that cached modules are not reused. */
const RECIPE = 1;

const FLAGS = [
  '--target=wasm32',
  '-std=gnu11',
  '-O3',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-ffreestanding',
  '-fno-vectorize',
  '-fno-slp-vectorize',
  '-nostdlib',
  '-matomics',
  '-mbulk-memory',
  '-Wno-unused',
  '-Wl,--no-entry',
  '-Wl,--import-memory',
  '-Wl,--shared-memory',
  '-Wl,--max-memory=4294967296',
  '-Wl,--stack-first',
  '-Wl,-z,stack-size=65536',
  '-Wl,--export=__stack_pointer',
  '-Wl,--export=__heap_base',
] as const;

/** Compiles one C file to a WebAssembly module that imports a shared memory `env.memory`. */
export async function buildWasm(
  source: string,
  variant: KernelVariant,
  exportNames: readonly string[],
): Promise<KernelModule> {
  const flags = [
    ...FLAGS,
    ...variant.flags,
    ...variant.defines.map((d) => `-D${d}`),
    ...exportNames.map((e) => `-Wl,--export=${e}`),
  ];
  const key = createHash('sha256')
    .update(`${RECIPE}\n${flags.join(' ')}\n${source}`)
    .digest('hex');
  // Not validated: Node 20 does not know the relaxed instructions.
  const bytes = await cached(join('kernels', `${key}.wasm`), () => runCompiler(source, flags));
  return { platform: 'wasm', variant: variant.id, bytes };
}

async function runCompiler(source: string, flags: readonly string[]): Promise<Uint8Array> {
  const { runClang } = await import('@yowasp/clang').catch((cause: unknown) => {
    throw new EigenError('EW5001_TOOL_MISSING', 'the package @yowasp/clang is not installed', {
      hint: 'Run npm install; it carries the compiler for kernels.',
      cause,
    });
  });
  const log: string[] = [];
  const print = (bytes: Uint8Array | null): void => {
    if (bytes) log.push(Buffer.from(bytes).toString());
  };
  // Loads the compiler: a run that has to do it itself prints its progress on stdout.
  await sparingly(() => runClang(undefined, {}, { fetchProgress: () => {} }));
  try {
    const out = await runClang(
      ['clang', ...flags, 'kernels.c', '-o', 'kernels.wasm'],
      { 'kernels.c': source },
      { stdout: print, stderr: print },
    );
    return out!['kernels.wasm'] as Uint8Array;
  } catch (cause) {
    throw new EigenError(
      'EW5002_COMPILER_FAILED',
      `the kernel compiler failed: ${
        log
          .join('')
          .split('\n')
          .find((l) => l.includes('error')) ?? 'no message'
      }`,
      {
        hint: 'This is a defect of the generated code; set EIGEN_DEBUG=1 and report it with the model.',
        details: { log: log.join('').slice(0, 4000) },
        cause,
      },
    );
  }
}

/** Work that V8 allows a function before it is optimized: beyond all use, and its default in Node 20. */
const [ENDLESS, USUAL] = [1_000_000_000, 1_800_000];

/**
 * Loads the compiler, 75 MB of WebAssembly that runs for a second, at a third of the processor time and half of the memory that it
 * would take: its hot functions are not optimized, which takes longer than they run, and its files, which come as the bodies of
 * responses, are handed on as the bytes that they are, since streams of them would be copied several times. Modules made afterwards, such as
 * kernels, are treated as always.
 */
async function sparingly<T>(load: () => Promise<T>): Promise<T> {
  const { Response } = globalThis;
  const wasm = WebAssembly as unknown as Streaming;
  const { compileStreaming } = wasm;
  setFlagsFromString(`--wasm-tiering-budget=${ENDLESS}`);
  globalThis.Response = WholeResponse as unknown as typeof Response;
  wasm.compileStreaming = async (source) => new WebAssembly.Module(await (await source).arrayBuffer());
  try {
    return await load();
  } finally {
    globalThis.Response = Response;
    wasm.compileStreaming = compileStreaming;
    setFlagsFromString(`--wasm-tiering-budget=${USUAL}`);
  }
}

/** The part of WebAssembly that not all type libraries know. */
interface Streaming {
  compileStreaming?: ((source: WholeResponse | PromiseLike<WholeResponse>) => Promise<WebAssembly.Module>) | undefined;
}

/** As much of a Response as loading the compiler asks for, on bytes that are not copied. */
class WholeResponse {
  readonly body: WholeBody;

  constructor(content: Uint8Array | WholeBody) {
    this.body = content instanceof WholeBody ? content : new WholeBody(content);
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    const { buffer, byteOffset, byteLength } = this.body.bytes;
    const whole = byteLength === buffer.byteLength ? buffer : buffer.slice(byteOffset, byteOffset + byteLength);
    // Of a file that was read: never shared memory.
    return whole as ArrayBuffer;
  }
}

class WholeBody {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** The only pipe there is counts bytes for a progress display. */
  pipeThrough(): this {
    return this;
  }
}
