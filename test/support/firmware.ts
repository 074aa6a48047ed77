import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { firmwareLibrary } from '../../sdk/compile/firmware/library.ts';
import type { FirmwareSource } from '../../sdk/compile/firmware/source.ts';
import { compileGraph, planFirmware } from '../../sdk/compile/index.ts';
import { WasmEngine } from '../../sdk/device/engine/wasm.ts';
import type { Graph } from '../../sdk/ir/graph.ts';
import { residentBlock } from '../../sdk/runner.ts';
import { skip } from '../../sdk/testing/skip.ts';
import { sha256OfTensor } from '../../sdk/util/hash.ts';
import type { Tensor } from '../../sdk/util/tensor.ts';
import { wasmTarget } from '../../targets/wasm/index.ts';
import { CALLS_COMPILERS } from './compilers.ts';
import { projectRoot } from './shared.ts';

/** Firmware libraries compiled and run: by the compilers of this machine, and for Cortex-M under an emulator. */

export const STRICT = ['-std=c99', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'];

/** Compilers of this machine that are there and called. */
export const hostCompilers = (): string[] => (CALLS_COMPILERS ? ['gcc', 'clang'].filter(exists) : []);

export const exists = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;

/** Debian packages of what is missing for Cortex-M; undefined when all is there. */
export function missingCortexTools(): string | undefined {
  const absent = [
    ['arm-none-eabi-gcc', 'gcc-arm-none-eabi libnewlib-arm-none-eabi'],
    ['qemu-system-arm', 'qemu-system-arm'],
  ].filter(([tool]) => !exists(tool!));
  return absent.length === 0 ? undefined : absent.map(([tool, debian]) => `${tool} (apt install ${debian})`).join(', ');
}

export interface Core {
  readonly name: string;
  readonly flags: readonly string[];
  readonly machine: string;
  readonly flash: string;
  readonly ram: string;
}

/** Cores of the boards, and the plainest one that the emulator has. */
export const CORES: readonly Core[] = [
  {
    name: 'Cortex-M33',
    flags: ['-mcpu=cortex-m33', '-mfloat-abi=softfp', '-mfpu=fpv5-sp-d16'],
    machine: 'mps2-an505',
    flash: '0x10000000',
    ram: '0x38000000',
  },
  {
    name: 'Cortex-M7',
    flags: ['-mcpu=cortex-m7', '-mfloat-abi=hard', '-mfpu=fpv5-d16'],
    machine: 'mps2-an500',
    flash: '0x0',
    ram: '0x20000000',
  },
  {
    name: 'Cortex-M55',
    flags: ['-mcpu=cortex-m55', '-mfloat-abi=hard'],
    machine: 'mps3-an547',
    flash: '0x0',
    ram: '0x21000000',
  },
  {
    name: 'Cortex-M3, no float unit',
    flags: ['-mcpu=cortex-m3'],
    machine: 'mps2-an385',
    flash: '0x0',
    ram: '0x20000000',
  },
];

/** The library of a graph, with outputs that another engine has computed as the golden ones. */
export function libraryOf(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  outputs: Readonly<Record<string, Tensor>>,
  name = 'model',
): Map<string, string> {
  const planned = planFirmware(graph);
  const source: FirmwareSource = {
    graph,
    planned,
    weights: residentBlock(planned),
    golden: {
      inputs,
      outputs: planned.program.outputs.map((o) => ({ name: o.name, sha256: sha256OfTensor(outputs[o.name]!) })),
    },
    name,
    origin: 'a test',
    board: { name: 'a board', flags: [] },
  };
  return firmwareLibrary(source);
}

/** Outputs of the WebAssembly engine, plain SIMD. */
export async function onWasm(graph: Graph, inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  const compiled = await compileGraph(graph, wasmTarget, { variants: ['simd128'] });
  const engine = await WasmEngine.load(compiled.program, compiled.modules, residentBlock(compiled));
  const outputs = engine.run(inputs);
  engine.close();
  return outputs;
}

/** A folder with a library in it. Remove it with close. */
export class FirmwareFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async with(files: ReadonlyMap<string, string>): Promise<FirmwareFolder> {
    const folder = new FirmwareFolder(await mkdtemp(join(tmpdir(), 'eigenweights-firmware-')));
    for (const [name, text] of files) await writeFile(join(folder.path, name), text);
    return folder;
  }

  /** Builds the example for this machine, warnings being errors, and runs it: its lines. */
  async runHere(compiler: string, flags: readonly string[]): Promise<string[]> {
    const program = join(this.path, 'example');
    await call(compiler, [...STRICT, ...flags, ...this.sources(), '-o', program]);
    return lines(await call(program, []));
  }

  /** The header in C++, warnings being errors. */
  async includeInCpp(): Promise<void> {
    await call('g++', [...STRICT.slice(1), '-x', 'c++', '-fsyntax-only', join(this.path, 'model.h')]);
  }

  /** Builds the example for a core, warnings being errors, and runs it under the emulator. */
  async runOn(core: Core, optimization: string): Promise<CoreRun> {
    const program = join(this.path, 'example.elf');
    const support = join(projectRoot, 'test/support/cortex-m');
    const object = join(this.path, 'start.o');
    const target = ['-mthumb', ...core.flags, optimization, '-ffreestanding', '-ffunction-sections', '-fdata-sections'];
    await call('arm-none-eabi-gcc', [...target, '-c', join(support, 'start.c'), '-o', object]);
    const layout = [
      '-nostdlib',
      '-Wl,--gc-sections',
      `-Wl,--defsym=FLASH=${core.flash}`,
      `-Wl,--defsym=RAM=${core.ram}`,
    ];
    await call('arm-none-eabi-gcc', [
      ...[...target, ...STRICT, ...layout, '-T', join(support, 'link.ld'), object],
      ...[...this.sources(), '-lgcc', '-o', program],
    ]);
    const out = lines(
      await call('qemu-system-arm', [
        ...['-M', core.machine, '-icount', 'shift=0', '-display', 'none', '-monitor', 'none', '-serial', 'null'],
        ...['-semihosting-config', 'enable=on,target=native', '-kernel', program],
      ]),
    );
    const number = (word: string): number => Number(out.find((l) => l.startsWith(`${word} `))?.split(' ')[1]);
    const sizes = await this.sizes(program);
    return { lines: out, instructions: number('instructions'), stack: number('stack'), ...sizes };
  }

  async close(): Promise<void> {
    await rm(this.path, { recursive: true, force: true });
  }

  private sources(): string[] {
    return ['model.c', 'model_weights.c', 'model_test.c', 'main.c'].map((f) => join(this.path, f));
  }

  /** What the linker placed: code and static memory of the kernels, constants. */
  private async sizes(program: string): Promise<{ code: number; memory: number; constants: number }> {
    const symbols = lines(await call('arm-none-eabi-nm', ['-S', '--defined-only', program])).map((l) => l.split(' '));
    const sum = (keep: (name: string, type: string) => boolean): number =>
      symbols.filter((s) => s.length === 4 && keep(s[3]!, s[2]!)).reduce((n, s) => n + Number.parseInt(s[1]!, 16), 0);
    return {
      code: sum(
        (name, type) =>
          /^t$/i.test(type) && /^(ew_|k\d+|f4_|model_run|model_init|model_input|model_output\d)/.test(name),
      ),
      memory: sum((name) => name === 'memory'),
      constants: sum((name) => name === 'model_weights'),
    };
  }
}

export interface CoreRun {
  /** What the example printed. */
  readonly lines: readonly string[];
  /** Of one inference. */
  readonly instructions: number;
  /** Deepest use of one inference, bytes. */
  readonly stack: number;
  /** Bytes by the linker: kernels, the static array, the constants. */
  readonly code: number;
  readonly memory: number;
  readonly constants: number;
}

const lines = (text: string): string[] => text.split('\n').filter((l) => l !== '');

/** Runs a program; its output, or an error with all that it said. */
function call(program: string, words: readonly string[]): Promise<string> {
  return new Promise((done, failed) => {
    const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const said: Buffer[] = [];
    child.stdout.on('data', (b: Buffer) => said.push(b));
    child.stderr.on('data', (b: Buffer) => said.push(b));
    child.on('error', failed);
    child.on('close', (code, signal) => {
      const text = Buffer.concat(said).toString();
      if (code === 0) done(text);
      else failed(new Error(`${program}: ${signal ?? code}\n${text.slice(0, 4000)}`));
    });
  });
}

/** Test that the graph as firmware, compiled for this machine, gives these outputs. */
export function testFirmware(
  graph: Graph,
  inputs: Readonly<Record<string, Tensor>>,
  expected: ReadonlyMap<string, Tensor>,
): void {
  test(`${graph.name}: firmware`, async () => {
    const [compiler] = hostCompilers();
    if (!compiler) return skip(`${graph.name} as firmware`, 'there is no C compiler (apt install gcc)');
    const folder = await FirmwareFolder.with(libraryOf(graph, inputs, Object.fromEntries(expected)));
    try {
      const said = await folder.runHere(compiler, ['-O1', '-ffp-contract=fast', '-fstrict-aliasing']);
      assert.is(said.at(-1), 'right');
    } finally {
      await folder.close();
    }
  });
}
