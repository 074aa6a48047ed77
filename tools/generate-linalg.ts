import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runClang } from '@yowasp/clang';

const FOLDER = new URL('../sdk/util/linalg/', import.meta.url);

const FLAGS = (
  '--target=wasm32 -O3 -ffp-contract=off -nostdlib -msimd128 -fno-builtin -Wl,--no-entry -Wl,--import-memory ' +
  '-Wl,--export=__heap_base ' +
  '-Wl,--strip-all -Wl,-z,stack-size=16384 linalg.c -o linalg.wasm'
).split(' ');

/** Compiles sdk/util/linalg/linalg.c and returns the text of sdk/util/linalg/wasm.ts. */
export async function generateLinalg(): Promise<string> {
  const source = await readFile(new URL('linalg.c', FOLDER), 'utf8');
  const files = await runClang(['clang', ...FLAGS], { 'linalg.c': source }, { fetchProgress: () => {} });
  const wasm = files?.['linalg.wasm'];
  if (!(wasm instanceof Uint8Array)) throw new Error('clang wrote no linalg.wasm');
  const lines =
    Buffer.from(wasm)
      .toString('base64')
      .match(/.{1,110}/g) ?? [];
  const body = lines.map((line) => `  '${line}',`).join('\n');
  return `/** linalg.c as WebAssembly, base64. Written by tools/generate-linalg.ts; do not edit. */\nexport const LINALG_WASM = [\n${body}\n].join('');\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('wasm.ts', FOLDER), await generateLinalg());
}
