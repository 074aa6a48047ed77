import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { gnuHeader } from '../../../../../sdk/compile/emit/c/gnu.ts';
import { skip } from '../../../../../sdk/testing/skip.ts';
import { X86_HEADER } from '../../../../../targets/host/simd.ts';
import { wasmTarget } from '../../../../../targets/wasm/index.ts';
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

for (const compiler of ['gcc', 'clang']) {
  const there = process.arch === 'x64' && spawnSync(compiler, ['--version']).status === 0;
  for (const { name, header, flags } of FORMS) {
    test(`${compiler}, ${name}`, () => {
      if (!there) return skip(`${compiler}, ${name}`, `no ${compiler} for x86-64 here`, 'missing');
      const [source, program] = [join(folder, 'v.c'), join(folder, 'v')];
      writeFileSync(source, vocabularyProgram(header));
      const common = ['-std=gnu11', '-O2', '-ffp-contract=off', '-fno-math-errno', '-Wall', '-Wextra', '-Werror'];
      const built = spawnSync(compiler, [...common, '-Wno-psabi', ...flags, source, '-o', program, '-lm']);
      assert.is(built.status, 0, String(built.stderr));
      const ran = spawnSync(program, { input: vocabularyInputs(), maxBuffer: 1 << 26 });
      // Instructions that this processor does not have.
      if (ran.signal === 'SIGILL') return skip(`${compiler}, ${name}`, `no ${name} here`, 'missing');
      assert.is(ran.status, 0);
      assert.is(vocabularyDifference(ran.stdout, want), undefined);
    });
  }
}

test.run();
