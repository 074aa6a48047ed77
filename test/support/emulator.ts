import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { byteLength, bytesOf, type Tensor, tensor, viewBytes } from '../../sdk/util/tensor.ts';
import type { Program } from '../../sdk/wire/program.ts';
import { projectRoot } from './shared.ts';

/** 64-bit Arm on this machine: a cross compiler, and an emulator that traps instructions which the core it stands for does not have. */
const COMPILER = 'aarch64-linux-gnu-gcc';
const NM = 'aarch64-linux-gnu-nm';
export const EMULATOR = 'qemu-aarch64-static';
/** Where the cross compiler keeps the other processor's C library. */
export const LIBRARIES = '/usr/aarch64-linux-gnu';

/** Debian packages of what is missing; undefined when all is there. */
export function missingTools(): string | undefined {
  const absent = [
    [COMPILER, 'gcc-aarch64-linux-gnu libc6-dev-arm64-cross'],
    [EMULATOR, 'qemu-user-static'],
  ].filter(([tool]) => spawnSync(tool!, ['--version']).status !== 0);
  return absent.length === 0 ? undefined : absent.map(([tool, debian]) => `${tool} (apt install ${debian})`).join(', ');
}

export interface EmulatedRun {
  /** The core that is emulated, by qemu's name. */
  readonly core: string;
  readonly kernels: Uint8Array;
  readonly program: Program;
  /** The resident block. */
  readonly weights: Uint8Array;
  readonly cases: readonly Readonly<Record<string, Tensor>>[];
  readonly threads: readonly number[];
}

/** A folder with the runner of kernels (kernel-runner.c) in it, built once. */
export class Emulator {
  private readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async open(): Promise<Emulator> {
    const folder = await mkdtemp(join(tmpdir(), 'eigenweights-emulator-'));
    const source = join(projectRoot, 'test/support/kernel-runner.c');
    await call(COMPILER, [
      '-O2',
      '-Wall',
      '-Wextra',
      '-Werror',
      source,
      '-o',
      join(folder, 'runner'),
      '-pthread',
      '-ldl',
    ]);
    return new Emulator(folder);
  }

  /** Outputs of every number of threads, case by case. Throws with the signal when the core lacks an instruction. */
  async run(r: EmulatedRun): Promise<Record<string, Tensor>[][]> {
    const file = (name: string): string => join(this.folder, name);
    const { program } = r;
    const inputs = r.cases.flatMap((c) => program.inputs.map((s) => bytesOf(c[s.name]!.data)));
    await writeFile(file('kernels.so'), r.kernels);
    await writeFile(file('weights'), r.weights);
    await writeFile(file('inputs'), Buffer.concat(inputs));
    const slots = [program.inputs, program.outputs].flatMap((list, i) =>
      list.flatMap((s) => ['io'[i]!, String(s.offset), String(byteLength(s))]),
    );
    const sizes = [program.arenaBytes, program.weightBytes, r.cases.length].map(String);
    const words = ['kernels.so', 'weights', 'inputs', 'outputs'].map(file);
    await call(EMULATOR, [
      ...['-cpu', r.core, '-L', LIBRARIES, file('runner')],
      ...[...words, ...sizes, r.threads.join(), ...slots],
    ]);
    const bytes = await readFile(file('outputs'));
    let at = 0;
    const next = (length: number): Uint8Array => {
      at += length;
      return new Uint8Array(bytes.subarray(at - length, at));
    };
    const outputs = (): Record<string, Tensor> =>
      Object.fromEntries(
        program.outputs.map((s) => [s.name, tensor(s.dtype, s.shape, viewBytes(s.dtype, next(byteLength(s))))]),
      );
    return r.threads.map(() => r.cases.map(outputs));
  }

  /** Instructions that a function of a C program takes, with all that is inlined into it: the same number every time. */
  async countInstructions(source: string, core: string, flags: readonly string[], name: string): Promise<number> {
    const [text, program] = [join(this.folder, 'counted.c'), join(this.folder, 'counted')];
    await writeFile(text, source);
    const common = ['-std=gnu11', '-O2', '-ffp-contract=off', '-fno-math-errno', '-fwrapv', '-Wno-psabi', '-w'];
    await call(COMPILER, [...common, ...flags, '-static', '-no-pie', text, '-o', program]);
    const symbol = (await outputOf(NM, ['-S', program])).split('\n').find((line) => line.endsWith(` ${name}`));
    const [address, size] = symbol!.split(' ');
    const trace = join(this.folder, 'trace');
    const every = ['-singlestep', '-d', 'nochain,exec', '-dfilter', `0x${address}+0x${size}`, '-D', trace];
    await call(EMULATOR, ['-cpu', core, ...every, program]);
    const lines = (await readFile(trace, 'utf8')).split('\n');
    return lines.filter((line) => line.startsWith('Trace')).length;
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function call(command: string, args: readonly string[]): Promise<void> {
  await outputOf(command, args);
}

function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const text = ['', ''];
    [child.stdout, child.stderr].forEach((stream, i) => {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text[i] += part;
      });
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(text[0]!);
      else reject(new Error(`${command} ended with ${signal ?? `status ${code}`}: ${text[1]!.slice(0, 2000)}`));
    });
  });
}
