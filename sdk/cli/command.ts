import type { EigenError } from '../util/errors.ts';
import type { Progress } from '../util/progress.ts';

/** A named option with a typed value. `parse` throws EW1001_USAGE with the offending text. */
export interface Flag<T> {
  readonly help: string;
  /** How the value is written in the help, e.g. `FILE`; absent for switches, which take no value. */
  readonly value?: string;
  /** One-letter form. */
  readonly short?: string;
  /** May be given several times. */
  readonly repeat?: boolean;
  readonly required?: boolean;
  /** Turns the texts given (in order, possibly none) into the value. */
  readonly parse: (texts: readonly string[], name: string) => T;
}

/** A positional argument. */
export interface Arg {
  readonly name: string;
  readonly help: string;
  readonly optional?: boolean;
}

export type Flags = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never };

/** What a command works with; everything that touches the outside comes through here. */
export interface Context {
  /** Folder that relative paths are resolved against (-C). */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by the first Ctrl-C and by --timeout. */
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** -n: say what would be done and write nothing. */
  readonly dryRun: boolean;
  /** Number of -v. */
  readonly verbose: number;
  /** A line for people on stderr; silent with -q and --json. */
  note(text: string): void;
  /** What an interruption from here on leaves behind, said when it happens. */
  leaves(state: string): void;
}

/** A command's result: `data` for --json, `text` for people. */
export interface Answer {
  readonly data: unknown;
  readonly text: string;
  /** The command ran fine and the answer is no: printed beside the answer, and its exit code is used. */
  readonly verdict?: EigenError;
}

/** What a command is, but for its name. */
export interface CommandBody {
  /** Whole command lines, shown first in the help. */
  readonly examples: readonly string[];
  readonly args: readonly Arg[];
  readonly flags: Flags;
  /** What one usually does next, one line. */
  readonly next?: string;
  run(
    input: { readonly args: readonly string[]; readonly flags: Readonly<Record<string, unknown>> },
    context: Context,
  ): Promise<Answer>;
}

/** A line of the table of commands: the command itself, and all that it uses, is loaded when it is asked for. */
export interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Command>;
}

export interface Command extends CommandBody {
  readonly name: string;
  readonly summary: string;
}

export function entry(name: string, summary: string, load: () => Promise<CommandBody>): CommandEntry {
  return { name, summary, load: async () => ({ name, summary, ...(await load()) }) };
}

interface CommandSpec<F extends Flags> extends Omit<CommandBody, 'run' | 'flags'> {
  readonly flags: F;
  run(input: { readonly args: readonly string[]; readonly flags: FlagValues<F> }, context: Context): Promise<Answer>;
}

/** Ties the types of the flags to what `run` receives; the parser guarantees that each value came from its flag's `parse`. */
export function defineCommand<const F extends Flags>(spec: CommandSpec<F>): CommandBody {
  return {
    ...spec,
    run: (input, context) => spec.run({ args: input.args, flags: input.flags as FlagValues<F> }, context),
  };
}

/** A flag without a value. */
export function switchFlag(help: string, short?: string): Flag<boolean> {
  return { help, ...(short ? { short } : {}), parse: (texts) => texts.length > 0 };
}

/** A flag whose single value goes through `read`; undefined when it is not given. */
export function valueFlag<T>(
  value: string,
  help: string,
  read: (text: string, name: string) => T,
  short?: string,
): Flag<T | undefined> {
  return {
    help,
    value,
    ...(short ? { short } : {}),
    parse: (texts, name) => (texts.length ? read(texts[texts.length - 1]!, name) : undefined),
  };
}

/** As valueFlag, but the command cannot run without it. */
export function requiredFlag<T>(
  value: string,
  help: string,
  read: (text: string, name: string) => T,
  short?: string,
): Flag<T> {
  return {
    help,
    value,
    required: true,
    ...(short ? { short } : {}),
    parse: (texts, name) => read(texts[texts.length - 1]!, name),
  };
}

/** A flag that may be repeated; `read` sees all texts in the order given. */
export function repeatFlag<T>(
  value: string,
  help: string,
  read: (texts: readonly string[], name: string) => T,
): Flag<T> {
  return { help, value, repeat: true, parse: read };
}
