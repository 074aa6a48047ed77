/** Checks the dependency rule (tools/lib/layers.ts) over sdk/, targets/ and examples/; prints `file:line: what is wrong`. */
import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { checkLayers } from './lib/layers.ts';

const root = resolve(import.meta.dirname, '..');
const sources = new Map<string, string>();
for (const folder of ['sdk', 'targets', 'examples']) {
  for (const entry of await readdir(resolve(root, folder), { recursive: true })) {
    const path = `${folder}/${entry.replaceAll('\\', '/')}`;
    if (path.endsWith('.ts')) sources.set(path, await readFile(resolve(root, path), 'utf8'));
  }
}
const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
  await readFile(resolve(root, 'package.json'), 'utf8'),
);
const declared = {
  runtime: new Set(Object.keys({ ...dependencies, ...optionalDependencies })),
  dev: new Set(Object.keys(devDependencies)),
};
const violations = checkLayers(sources, declared);
for (const v of violations) console.error(`${v.file}:${v.line}: ${v.message}`);
console.error(`layers: ${sources.size} files, ${violations.length} violations`);
process.exitCode = violations.length > 0 ? 1 : 0;
