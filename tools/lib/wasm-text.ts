import { readFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { runClang } from '@yowasp/clang';

export interface WasmSource {
  /** Folder of the C file, with a slash at its end. */
  readonly folder: URL;
  /** Name of the C file without `.c`. */
  readonly name: string;
  /** Flags beyond those that every module has. */
  readonly flags: string;
  /** Name of the exported constant. */
  readonly constant: string;
  /** The tool, for the comment at the top. */
  readonly tool: string;
  /** The module is to be small in files. */
  readonly deflated?: boolean;
}

/** Compiles a C file that imports its memory, and returns the text of a TypeScript module that holds it as base64. */
export async function wasmText({ folder, name, flags, constant, tool, deflated }: WasmSource): Promise<string> {
  const source = await readFile(new URL(`${name}.c`, folder), 'utf8');
  const all =
    `clang --target=wasm32 -O3 -ffp-contract=off -nostdlib -msimd128 -fno-builtin -Wl,--no-entry -Wl,--import-memory ` +
    `-Wl,--export=__heap_base -Wl,--strip-all ${flags} ${name}.c -o ${name}.wasm`;
  const files = await runClang(all.split(/ +/), { [`${name}.c`]: source }, { fetchProgress: () => {} });
  const wasm = files?.[`${name}.wasm`];
  if (!(wasm instanceof Uint8Array)) throw new Error(`clang wrote no ${name}.wasm`);
  const lines =
    (deflated ? deflateRawSync(wasm, { level: 9 }) : Buffer.from(wasm)).toString('base64').match(/.{1,110}/g) ?? [];
  const body = lines.map((line) => `  '${line}',`).join('\n');
  return `/** ${name}.c as WebAssembly, ${deflated ? 'deflated, ' : ''}base64. Written by ${tool}; do not edit. */\nexport const ${constant} = [\n${body}\n].join('');\n`;
}
