import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { wasmText } from './lib/wasm-text.ts';

const folder = new URL('../sdk/util/linalg/', import.meta.url);

/** Compiles sdk/util/linalg/linalg.c and returns the text of sdk/util/linalg/wasm.ts. */
export function generateLinalg(): Promise<string> {
  const flags =
    '-matomics -mbulk-memory -Wl,--shared-memory -Wl,--max-memory=4294967296 -Wl,--export=__stack_pointer -Wl,-z,stack-size=16384';
  return wasmText({ folder, name: 'linalg', flags, constant: 'LINALG_WASM', tool: 'tools/generate-linalg.ts' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('wasm.ts', folder), await generateLinalg());
}
