import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { build } from 'esbuild';
import { sha256 } from '../../sdk/util/hash.ts';

/**
 * Folders that do not decide the weights and bits of a compressed network: kernels, which all give the same outputs; how results are shown
 * and shipped; what is said on the way.
 */
export const UNDECIDING = [
  ...['sdk/compile/emit/', 'sdk/compile/toolchains/', 'sdk/device/', 'targets/'],
  ...['sdk/report/', 'sdk/cli/', 'sdk/fleet/', 'sdk/transport/', 'sdk/wire/protocol/'],
  ...['sdk/util/errors.ts', 'sdk/util/progress.ts'],
];

/** The files that programs are made of, from the project's root, in the order of their names. */
export async function sourcesOf(root: string, programs: readonly string[]): Promise<string[]> {
  const { metafile } = await build({
    entryPoints: programs.map((p) => join(root, p)),
    absWorkingDir: root,
    bundle: true,
    metafile: true,
    write: false,
    outdir: root,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  const used = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.keys(inputs).filter((f) => inputs[f]!.bytesInOutput > 0),
  );
  return [...new Set(used)].sort();
}

/** Every file under a folder, in the order of names. */
export async function filesIn(folder: string): Promise<string[]> {
  const names = (await readdir(folder)).sort();
  const found = await Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      return (await stat(path)).isDirectory() ? filesIn(path) : [path];
    }),
  );
  return found.flat();
}

/** Of paths relative to `root` and contents. */
export async function hashOf(root: string, files: readonly string[]): Promise<string> {
  const parts: string[] = [];
  for (const f of files) parts.push(relative(root, f), sha256(await readFile(f)));
  return sha256(parts.join('\n'));
}
