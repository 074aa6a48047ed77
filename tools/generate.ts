/** Writes what comes from the code: parts of README.md, the document of the controller's API. --check only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { COMMANDS } from '../sdk/cli/commands/index.ts';
import { openApi } from '../sdk/fleet/api/openapi.ts';
import { ROUTES } from '../sdk/fleet/api/routes/index.ts';
import { withCommands } from './lib/readme.ts';

const commands = await Promise.all(COMMANDS.map((c) => c.load()));

/** Path from the project root -> what is in it after generation, of what was before. */
const GENERATED: Readonly<Record<string, (before: string) => string>> = {
  'README.md': (before) => withCommands(before, commands),
  'sdk/fleet/api/openapi.json': () => `${JSON.stringify(openApi(ROUTES), null, 2)}\n`,
};

for (const [name, generate] of Object.entries(GENERATED)) {
  const path = resolve(import.meta.dirname, '..', name);
  const before = await readFile(path, 'utf8').catch(() => '');
  const after = generate(before);
  if (after === before) continue;
  if (process.argv.includes('--check')) {
    console.error(`${name} is not what the code says: run npm run generate`);
    process.exitCode = 1;
  } else await writeFile(path, after);
}
