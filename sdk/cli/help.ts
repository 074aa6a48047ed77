import type { Arg, Command, CommandEntry, Flag, Flags } from './command.ts';
import { table } from './format.ts';
import { SHARED_FLAGS } from './parse.ts';

/** `compress MODEL --target BOARD --calib FILE [flags]`. */
export function usageOf(command: Command): string {
  const required = Object.entries(command.flags).filter(([, f]) => f.required);
  const words = [
    command.name,
    ...command.args.map(argForm),
    ...required.map(([name, f]) => `--${name} ${f.value}`),
    ...(required.length < Object.keys(command.flags).length ? ['[flags]'] : []),
  ];
  return words.join(' ');
}

function argForm(arg: Arg): string {
  return arg.optional ? `[${arg.name}]` : arg.name;
}

function flagForm(name: string, flag: Flag<unknown>): string {
  return `${flag.short ? `-${flag.short}, ` : '    '}--${name}${flag.value ? ` ${flag.value}` : ''}`;
}

function flagRows(flags: Flags): string[][] {
  return Object.entries(flags).map(([name, f]) => {
    const marks = [...(f.required ? ['required'] : []), ...(f.repeat ? ['may be repeated'] : [])];
    return [`  ${flagForm(name, f)}`, `${f.help}${marks.length ? ` (${marks.join(', ')})` : ''}`];
  });
}

/** The help of one command: purpose, examples first, then arguments and flags. */
export function helpOf(command: Command): string {
  const parts = [
    `eigenweights ${usageOf(command)}`,
    command.summary,
    `Examples\n${command.examples.map((e) => `  ${e}`).join('\n')}`,
  ];
  if (command.args.length) parts.push(`Arguments\n${table(command.args.map((a) => [`  ${a.name}`, a.help]))}`);
  if (Object.keys(command.flags).length) parts.push(`Flags\n${table(flagRows(command.flags))}`);
  parts.push(`Flags of every command\n${table(flagRows(SHARED_FLAGS))}`);
  if (command.next) parts.push(`next: ${command.next}`);
  return parts.join('\n\n');
}

/** What `eigenweights` alone and `eigenweights --help` print. */
export function overview(commands: readonly CommandEntry[], version: string): string {
  const rows = commands.map((c) => [`  ${c.name}`, c.summary]);
  return [
    `eigenweights ${version}: compress, compile and run neural networks for Jetson, Raspberry Pi and Coral boards`,
    table(rows),
    'next: eigenweights COMMAND --help',
  ].join('\n\n');
}

/** The commands as Markdown, for README.md (tools/generate.ts writes it, a test compares). */
export function commandsMarkdown(commands: readonly Command[]): string {
  const sections = commands.map((c) => {
    const rows = Object.entries(c.flags).map(
      ([name, f]) => `| \`${flagForm(name, f).trim()}\` | ${f.help}${f.required ? ' (required)' : ''} |`,
    );
    const flags = rows.length ? `\n\n| flag | meaning |\n|---|---|\n${rows.join('\n')}` : '';
    return `### ${c.name}\n\n${c.summary}\n\n\`\`\`sh\n${c.examples.join('\n')}\n\`\`\`${flags}`;
  });
  const shared = Object.entries(SHARED_FLAGS).map(([name, f]) => `| \`${flagForm(name, f).trim()}\` | ${f.help} |`);
  return `${sections.join('\n\n')}\n\n### Flags of every command\n\n| flag | meaning |\n|---|---|\n${shared.join('\n')}\n`;
}
