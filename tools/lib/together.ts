import { pathToFileURL } from 'node:url';
import { FILE_MARK } from './uvu-report.ts';

/**
 * Runs the test files that are named, one after another in this process, and prints what uvu does for each, behind a line that names it. The start of a process takes
 * longer than most of them. Whoever asks runs those alone that have failed here, which what others left behind may be the reason for.
 */
const queue = globalThis as unknown as { UVU_DEFER: number; UVU_INDEX: number; UVU_QUEUE: unknown[][] };
queue.UVU_DEFER = 1;
const { exec } = await import('uvu');

for (const file of process.argv.slice(2)) {
  console.log(`\n${FILE_MARK}${file}`);
  queue.UVU_INDEX = 0;
  queue.UVU_QUEUE = [[null]];
  await import(pathToFileURL(file).href);
  await exec();
}
process.exit(0);
