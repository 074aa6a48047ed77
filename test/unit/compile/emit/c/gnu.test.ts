import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gnuHeader } from '../../../../../sdk/compile/emit/c/gnu.ts';
import { skip } from '../../../../../sdk/testing/skip.ts';
import { NEON_HEADER } from '../../../../../targets/aarch64/simd.ts';
import { X86_HEADER } from '../../../../../targets/host/simd.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
import { CALLS_COMPILERS, WITHOUT_COMPILER } from '../../../../support/compilers.ts';
import {
  RESULT_BYTES,
  vocabularyDifference,
  vocabularyInputs,
  vocabularyProgram,
  vocabularySource,
} from '../../../../support/vocabulary.ts';

/** The vocabulary of GNU C compilers gives the bits of WebAssembly's, in the general form and on the instruction sets of this machine. */
async function expected(): Promise<Uint8Array> {
  const { bytes } = await wasmTarget.build(vocabularySource(wasmTarget.vectors.header), wasmTarget.variants[0]!, [
    'ew_vocabulary',
  ]);
  const memory = new WebAssembly.Memory({ initial: 20, maximum: 20, shared: true });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>), {
    env: { memory },
  });
  const at = ((exports.__heap_base as WebAssembly.Global).value as number) + 64;
  const inputs = vocabularyInputs();
  new Uint8Array(memory.buffer, at, inputs.length).set(inputs);
  (exports.ew_vocabulary as (s: number, d: number) => void)(at, at + inputs.length);
  return new Uint8Array(memory.buffer, at + inputs.length, RESULT_BYTES).slice();
}

let folder = '';
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-vocabulary-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

const GENERAL = gnuHeader('');
const FORMS: readonly { name: string; header: string; flags: readonly string[] }[] = [
  { name: 'general', header: GENERAL, flags: [] },
  { name: 'general, not optimized', header: GENERAL, flags: ['-O0'] },
  { name: 'sse4.1', header: X86_HEADER, flags: ['-msse4.1'] },
  { name: 'avx2', header: X86_HEADER, flags: ['-mavx2'] },
  {
    name: 'avx512',
    header: X86_HEADER,
    flags: ['-mavx512f', '-mavx512bw', '-mavx512vl', '-mavx512dq', '-mavx512vnni'],
  },
];
const want = await expected();

const COMMON = [
  '-std=gnu11',
  '-O2',
  '-ffp-contract=off',
  '-fno-math-errno',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-Wno-psabi',
];

/** Builds the program and runs it; undefined where the processor has no such instructions. */
function outputOf(header: string, compiler: readonly string[], runner: readonly string[]): Uint8Array | undefined {
  const [source, program] = [join(folder, 'v.c'), join(folder, 'v')];
  writeFileSync(source, vocabularyProgram(header));
  const [tool, ...flags] = [...compiler, ...COMMON, source, '-o', program, '-lm'];
  const built = spawnSync(tool!, flags);
  assert.is(built.status, 0, String(built.stderr));
  const [command, ...words] = [...runner, program];
  const ran = spawnSync(command!, words, { input: vocabularyInputs(), maxBuffer: 1 << 26 });
  if (ran.signal === 'SIGILL') return undefined;
  assert.is(ran.status, 0, String(ran.stderr));
  return ran.stdout;
}

const isThere = (...words: readonly string[]): boolean =>
  CALLS_COMPILERS && spawnSync(words[0]!, words.slice(1)).status === 0;

for (const compiler of ['gcc', 'clang']) {
  const there = process.arch === 'x64' && isThere(compiler, '--version');
  for (const { name, header, flags } of FORMS) {
    test(`${compiler}, ${name}`, () => {
      if (!there)
        return skip(
          `${compiler}, ${name}`,
          CALLS_COMPILERS ? `no ${compiler} for x86-64 here` : WITHOUT_COMPILER,
          'missing',
        );
      const got = outputOf(header, [compiler, ...flags], []);
      if (!got) return skip(`${compiler}, ${name}`, `no ${name} here`, 'missing');
      assert.is(vocabularyDifference(got, want), undefined);
    });
  }
}

const CROSS = { gcc: ['aarch64-linux-gnu-gcc'], clang: ['clang', '--target=aarch64-linux-gnu'] };
const EMULATOR = 'qemu-aarch64-static';

for (const [compiler, words] of Object.entries(CROSS)) {
  // Clang takes the libraries of the other compiler.
  const there = isThere(EMULATOR, '--version') && [...Object.values(CROSS)].every((c) => isThere(...c, '--version'));
  for (const [name, header] of [
    ['general', GENERAL],
    ['neon', NEON_HEADER],
  ] as const) {
    test(`${compiler} for 64-bit Arm, ${name}`, () => {
      if (!there)
        return skip(
          `${compiler}, ${name}`,
          CALLS_COMPILERS ? `no ${CROSS.gcc[0]}, clang or ${EMULATOR}` : WITHOUT_COMPILER,
          'missing',
        );
      const got = outputOf(header, [...words, '-static'], [EMULATOR, '-cpu', 'cortex-a53']);
      assert.is(vocabularyDifference(got!, want), undefined);
    });
  }
}

test.run();
