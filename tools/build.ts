/** Builds dist/ with tsc and checks that every path package.json promises (bin, exports, files) is there. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { importsOf } from './lib/imports.ts';

const root = resolve(import.meta.dirname, '..');
const SHEBANG = '#!/usr/bin/env node\n';

interface PackageJson {
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly files: readonly string[];
}

function compile(): void {
  const tsc = resolve(root, 'node_modules/typescript/bin/tsc');
  const done = spawnSync(process.execPath, [tsc, '-p', 'tools/tsconfig.build.json'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  });
  if (done.status !== 0) throw new Error(`tsc ended with ${done.status ?? done.signal}`);
}

/** tsc rewrites `.ts` specifiers in the JavaScript but not in the declarations. */
async function rewriteDeclarations(): Promise<void> {
  for (const entry of await readdir(resolve(root, 'dist'), { recursive: true })) {
    if (!entry.endsWith('.d.ts')) continue;
    const path = resolve(root, 'dist', entry);
    let text = await readFile(path, 'utf8');
    for (const { specifier, at } of importsOf(text).reverse()) {
      if (!specifier.startsWith('.') || !specifier.endsWith('.ts')) continue;
      const end = at + specifier.length;
      text = `${text.slice(0, end - 3)}.js${text.slice(end)}`;
    }
    await writeFile(path, text);
  }
}

/** Paths that package.json names but the build did not make. */
function missingPaths(pkg: PackageJson): string[] {
  const named = [
    ...Object.values(pkg.bin),
    ...pkg.files,
    ...Object.values(pkg.exports).flatMap((e) => (typeof e === 'string' ? [e] : Object.values(e))),
  ];
  return named.filter((path) => !existsSync(resolve(root, path)));
}

async function finishBins(pkg: PackageJson): Promise<void> {
  for (const bin of new Set(Object.values(pkg.bin))) {
    const path = resolve(root, bin);
    if (!(await readFile(path, 'utf8')).startsWith(SHEBANG))
      throw new Error(`${bin} does not start with ${SHEBANG.trim()}`);
    await chmod(path, 0o755);
  }
}

const pkg = JSON.parse(await readFile(resolve(root, 'package.json'), 'utf8')) as PackageJson;
await rm(resolve(root, 'dist'), { recursive: true, force: true });
compile();
await rewriteDeclarations();
const missing = missingPaths(pkg);
if (missing.length > 0) throw new Error(`package.json names paths that do not exist: ${missing.join(', ')}`);
await finishBins(pkg);
