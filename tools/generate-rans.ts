import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { wasmText } from './lib/wasm-text.ts';

const folder = new URL('../sdk/wire/', import.meta.url);

/** Compiles sdk/wire/rans.c and returns the text of sdk/wire/rans-wasm.ts. */
export function generateRans(): Promise<string> {
  const flags = '-Wl,-z,stack-size=1024';
  return wasmText({
    folder,
    name: 'rans',
    flags,
    constant: 'RANS_WASM',
    tool: 'tools/generate-rans.ts',
    deflated: true,
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await writeFile(new URL('rans-wasm.ts', folder), await generateRans());
}
