/** Writes the parts of README.md that come from the code; --check only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { COMMANDS } from '../sdk/cli/commands/index.ts';
import { withCommands } from './lib/readme.ts';

const path = resolve(import.meta.dirname, '../README.md');
const before = await readFile(path, 'utf8');
const after = withCommands(before, COMMANDS);
if (process.argv.includes('--check')) {
  if (after !== before) console.error('README.md is not what the commands say: run npm run generate');
  process.exitCode = after === before ? 0 : 1;
} else {
  await writeFile(path, after);
}
