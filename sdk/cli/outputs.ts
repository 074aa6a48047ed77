import { EigenError } from '../util/errors.ts';
import { checkOutput } from '../util/outputs.ts';
import type { Context } from './command.ts';
import { pathIn } from './values.ts';

/** Reads the name of a file that is written: its ending says what is in it, so that no file of another kind is written over by mistake. */
export function readOutput(ending: string): (text: string, name: string) => string {
  return (text, name) => {
    if (text.endsWith(ending) && text.length > ending.length) return text;
    throw new EigenError('EW1001_USAGE', `${name} ${text}: expected a name that ends in ${ending}`);
  };
}

/** The path of a file to write, once it is known that it can be; `reads` are the files that the command works from. */
export async function outputIn(
  { cwd }: Pick<Context, 'cwd'>,
  text: string,
  reads: readonly (string | undefined)[],
): Promise<string> {
  const path = pathIn(cwd, text);
  await checkOutput(
    path,
    reads.filter((r) => r !== undefined).map((r) => pathIn(cwd, r)),
  );
  return path;
}
