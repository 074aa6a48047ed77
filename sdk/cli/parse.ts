import { parseArgs } from 'node:util';
import { EigenError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { type Command, type Flags, type FlagValues, switchFlag, valueFlag } from './command.ts';
import { readCount, readText } from './values.ts';

/** Flags that every command has. */
export const SHARED_FLAGS = {
  json: { help: 'print one JSON document on stdout; --json=lines adds a line per progress event', parse: readJsonMode },
  quiet: switchFlag('no progress, no notes', 'q'),
  verbose: {
    help: 'more detail; repeat for more',
    short: 'v',
    repeat: true,
    parse: (texts: readonly string[]) => texts.length,
  },
  'no-color': switchFlag('no colours (NO_COLOR does the same)'),
  cwd: valueFlag('DIR', 'work in this folder', readText, 'C'),
  'dry-run': switchFlag('say what would be done, write nothing', 'n'),
  timeout: valueFlag('SECONDS', 'stop after this long', readCount),
  help: switchFlag('show the help of the command', 'h'),
} satisfies Flags;

export type JsonMode = 'document' | 'lines';

function readJsonMode(texts: readonly string[]): JsonMode | undefined {
  const last = texts[texts.length - 1];
  if (last === undefined) return undefined;
  if (last === '') return 'document';
  if (last === 'lines') return 'lines';
  throw new EigenError('EW1001_USAGE', `--json=${last}: the only form with a value is --json=lines`);
}

export interface ParsedLine {
  readonly args: readonly string[];
  /** Values of the command's own flags. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly shared: SharedValues;
}

export type SharedValues = FlagValues<typeof SHARED_FLAGS>;

interface Given {
  readonly texts: Map<string, string[]>;
  readonly args: string[];
}

/** Parses what follows the command's name. Throws EW1001_USAGE naming the offending text, with the nearest known flag as hint. */
export function parseLine(command: Command, line: readonly string[]): ParsedLine {
  const known: Flags = { ...SHARED_FLAGS, ...command.flags };
  const given = collect(command, known, line);
  const shared = readFlags(command, SHARED_FLAGS, given) as SharedValues;
  // Whoever asks for help need not have the rest right.
  if (shared.help) return { args: given.args, flags: {}, shared };
  checkArgs(command, given.args);
  return { args: given.args, flags: readFlags(command, command.flags, given), shared };
}

function readFlags(command: Command, flags: Flags, given: Given): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const [name, flag] of Object.entries(flags)) {
    const texts = given.texts.get(name) ?? [];
    if (texts.length > 1 && !flag.repeat) throw usage(command, `--${name} is given ${texts.length} times`);
    if (texts.length === 0 && flag.required) throw usage(command, `--${name} ${flag.value} is missing: ${flag.help}`);
    values[name] = flag.parse(texts, `--${name}`);
  }
  return values;
}

function collect(command: Command, known: Flags, line: readonly string[]): Given {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, f]) => [
      name,
      {
        type: f.value ? ('string' as const) : ('boolean' as const),
        multiple: true,
        ...(f.short ? { short: f.short } : {}),
      },
    ]),
  );
  const { tokens } = parseArgs({ args: [...line], options, strict: false, tokens: true, allowPositionals: true });
  const given: Given = { texts: new Map(), args: [] };
  for (const token of tokens) {
    if (token.kind === 'positional') given.args.push(token.value);
    if (token.kind !== 'option') continue;
    const flag = known[token.name];
    if (!flag) throw unknownFlag(command, known, token.rawName);
    // A value that looks like a flag was almost surely left out: `--calib -o x` means a forgotten file name.
    const missing =
      token.value === undefined || (!token.inlineValue && token.value.startsWith('-') && token.value.length > 1);
    if (flag.value && missing) throw usage(command, `${token.rawName} needs a value: ${flag.value}`);
    if (!flag.value && token.value !== undefined && token.name !== 'json')
      throw usage(command, `${token.rawName} takes no value`);
    const texts = given.texts.get(token.name) ?? [];
    given.texts.set(token.name, [...texts, token.value ?? '']);
  }
  return given;
}

function checkArgs(command: Command, args: readonly string[]): void {
  const missing = command.args.slice(args.length).find((a) => !a.optional);
  if (missing) throw usage(command, `${missing.name} is missing: ${missing.help}`);
  if (args.length > command.args.length) throw usage(command, `unexpected argument '${args[command.args.length]}'`);
}

function unknownFlag(command: Command, known: Flags, raw: string): EigenError {
  const guess = nearest(raw.replace(/^-+/, ''), Object.keys(known));
  const hint = guess ? `did you mean --${guess}?` : `see eigenweights ${command.name} --help`;
  return new EigenError('EW1001_USAGE', `${command.name}: unknown flag ${raw}`, { hint });
}

function usage(command: Command, message: string): EigenError {
  return new EigenError('EW1001_USAGE', `${command.name}: ${message}`, {
    hint: `see eigenweights ${command.name} --help`,
  });
}
