import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Platform, thisPlatform } from '../../wire/kernels.ts';

/** A C compiler that makes shared objects for a platform. */
export interface Compiler {
  readonly command: string;
  /** What every call begins with. */
  readonly args: readonly string[];
  /** First line of what it says about itself. */
  readonly version: string;
  /** `own` was named by the user. */
  readonly kind: 'own' | 'native' | 'cross' | 'zig';
}

/** Platforms that have shared objects. */
export type NativePlatform = Exclude<Platform, 'wasm'>;

interface Candidate {
  readonly kind: Compiler['kind'];
  readonly command: string;
  readonly args: readonly string[];
}

const TRIPLES: Readonly<Record<NativePlatform, string>> = {
  'linux-x64': 'x86_64-linux-gnu',
  'linux-arm64': 'aarch64-linux-gnu',
};

/** The setting with which users name a compiler of their own, with its arguments. */
export const COMPILER_SETTING = 'EIGEN_CC';

/** Compilers that can make shared objects for a platform, the preferred first. */
function candidates(platform: NativePlatform, own: string | undefined): Candidate[] {
  if (own) {
    const [command, ...args] = own.split(/\s+/);
    return [{ kind: 'own', command: command!, args }];
  }
  const plain = (kind: Candidate['kind'], command: string): Candidate => ({ kind, command, args: [] });
  const zig: Candidate = { kind: 'zig', command: 'zig', args: ['cc', '-target', TRIPLES[platform]] };
  // Kernels for x86-64 are a few percent faster from clang, those for Arm are written for gcc.
  const natives = platform === 'linux-x64' ? ['clang', 'gcc'] : ['gcc', 'clang'];
  if (platform === thisPlatform()) return [...natives.map((command) => plain('native', command)), zig];
  return [plain('cross', `${TRIPLES[platform]}-gcc`), zig];
}

const known = new Map<string, Promise<Compiler | undefined>>();

/** The first compiler that answers, asked once a process; undefined when there is none. */
export async function findCompiler(
  platform: NativePlatform,
  own: string | undefined = process.env[COMPILER_SETTING],
): Promise<Compiler | undefined> {
  for (const c of candidates(platform, own?.trim() || undefined)) {
    const key = [c.command, ...c.args].join(' ');
    if (!known.has(key)) known.set(key, ask(c));
    const compiler = await known.get(key);
    if (compiler) return compiler;
  }
  return undefined;
}

async function ask(candidate: Candidate): Promise<Compiler | undefined> {
  try {
    const { stdout } = await promisify(execFile)(candidate.command, [...candidate.args, '--version'], {
      timeout: 20_000,
    });
    return { ...candidate, version: stdout.split('\n')[0]!.trim() };
  } catch {
    return undefined;
  }
}
