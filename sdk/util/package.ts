import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

let known: string | undefined;

/** Version of this package: from the nearest package.json of its name above this module, so the same from source and from dist. */
export function packageVersion(): string {
  known ??= readVersion();
  return known;
}

function readVersion(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'package.json');
    if (existsSync(path)) {
      const { name, version } = JSON.parse(readFileSync(path, 'utf8')) as { name: string; version: string };
      if (name === 'eigenweights') return version;
    }
    if (dirname(folder) === folder) return 'unknown';
  }
}
