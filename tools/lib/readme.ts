import type { Command } from '../../sdk/cli/command.ts';
import { commandsMarkdown } from '../../sdk/cli/help.ts';

const BEGIN = '<!-- commands: written by `npm run generate` -->\n';
const END = '<!-- /commands -->';

/** README text with the section between its markers replaced by the commands' own descriptions. */
export function withCommands(readme: string, commands: readonly Command[]): string {
  const from = readme.indexOf(BEGIN);
  const to = readme.indexOf(END);
  if (from < 0 || to < from) throw new Error('README.md has lost the markers of its commands section');
  return `${readme.slice(0, from + BEGIN.length)}\n${commandsMarkdown(commands)}\n${readme.slice(to)}`;
}
