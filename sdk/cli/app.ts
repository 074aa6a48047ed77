import { resolve } from 'node:path';
import pico from 'picocolors';
import { EigenError, isEigenError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import type { Answer, Command, CommandEntry, Context } from './command.ts';
import { helpOf, overview } from './help.ts';
import { type JsonMode, type ParsedLine, parseLine, SHARED_FLAGS, type SharedValues } from './parse.ts';
import {
  barProgress,
  type Clock,
  jsonLinesProgress,
  lineProgress,
  type ProgressSink,
  silentProgress,
} from './progress.ts';

/** The process as the command line sees it; tests pass their own. */
export interface Io {
  readonly version: string;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stderrIsTerminal: boolean;
  readonly clock: Clock;
  stdout(text: string): void;
  stderr(text: string): void;
  /** Calls `handler` at each Ctrl-C until the returned function is called. */
  onInterrupt(handler: () => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

interface Settings {
  readonly json: JsonMode | undefined;
  readonly quiet: boolean;
  readonly verbose: number;
  readonly color: boolean;
  readonly cwd: string;
  readonly dryRun: boolean;
  readonly timeout: number | undefined;
}

/** Runs one command line and returns the exit code. Prints the answer on stdout and everything else on stderr. */
export async function runCli(argv: readonly string[], commands: readonly CommandEntry[], io: Io): Promise<number> {
  const { name, line } = splitCommand(argv);
  // Read from the raw words as well, so that a line that does not parse is still answered in the form that was asked for.
  const json = argv.some((a) => a === '--json' || a.startsWith('--json='));
  try {
    if (name === undefined) return bare(line, commands, io);
    const command = await findCommand(name, commands).load();
    const parsed = parseLine(command, line);
    if (parsed.shared.help) {
      io.stdout(`${helpOf(command)}\n`);
      return 0;
    }
    return await runCommand(command, parsed, io);
  } catch (error) {
    return printError(error, name, json, colorOf(io, argv.includes('--no-color')), io);
  }
}

/** Shared flags may stand before the command's name. */
function splitCommand(argv: readonly string[]): { name: string | undefined; line: string[] } {
  const takesValue = new Set(
    Object.entries(SHARED_FLAGS).flatMap(([n, f]) =>
      'value' in f ? [`--${n}`, ...('short' in f ? [`-${f.short}`] : [])] : [],
    ),
  );
  let i = 0;
  while (i < argv.length && argv[i]!.startsWith('-')) i += takesValue.has(argv[i]!) ? 2 : 1;
  return { name: argv[i], line: [...argv.slice(0, i), ...argv.slice(i + 1)] };
}

function bare(line: readonly string[], commands: readonly CommandEntry[], io: Io): number {
  if (line.includes('--version') || line.includes('-V')) {
    io.stdout(`${io.version}\n`);
    return 0;
  }
  const unknown = line.find((a) => a !== '--help' && a !== '-h');
  if (unknown !== undefined)
    throw new EigenError('EW1001_USAGE', `no command in the line (${unknown})`, { hint: 'see eigenweights --help' });
  io.stdout(`${overview(commands, io.version)}\n`);
  return 0;
}

function findCommand(name: string, commands: readonly CommandEntry[]): CommandEntry {
  const found = commands.find((c) => c.name === name);
  if (found) return found;
  const guess = nearest(
    name,
    commands.map((c) => c.name),
  );
  throw new EigenError('EW1001_USAGE', `unknown command '${name}'`, {
    hint: guess ? `did you mean ${guess}?` : 'see eigenweights --help',
  });
}

function settingsOf(flags: SharedValues, io: Io): Settings {
  return {
    json: flags.json,
    quiet: flags.quiet,
    verbose: flags.verbose,
    color: colorOf(io, flags['no-color']),
    cwd: resolve(io.cwd, flags.cwd ?? ''),
    dryRun: flags['dry-run'],
    timeout: flags.timeout,
  };
}

function colorOf(io: Io, off: boolean): boolean {
  return !off && io.stderrIsTerminal && !io.env.NO_COLOR;
}

function progressFor(settings: Settings, io: Io): ProgressSink {
  if (settings.json === 'lines') return jsonLinesProgress(io.stdout, io.clock);
  if (settings.quiet || settings.json) return silentProgress;
  const bar = io.stderrIsTerminal && !io.env.CI;
  return bar ? barProgress(io.stderr, io.clock) : lineProgress(io.stderr, io.clock);
}

async function runCommand(command: Command, line: ParsedLine, io: Io): Promise<number> {
  const settings = settingsOf(line.shared, io);
  const sink = progressFor(settings, io);
  const stop = new AbortController();
  let left = 'nothing was written';
  const forget = io.onInterrupt(() => {
    if (stop.signal.aborted) return io.exit(130);
    sink.close();
    io.stderr('stopping; Ctrl-C again to stop at once\n');
    stop.abort(new EigenError('EW1004_INTERRUPTED', 'interrupted'));
  });
  const timer = settings.timeout && setTimeout(() => stop.abort(timedOut(settings.timeout!)), settings.timeout * 1000);
  const context: Context = {
    cwd: settings.cwd,
    env: io.env,
    signal: stop.signal,
    progress: sink.report,
    dryRun: settings.dryRun,
    verbose: settings.verbose,
    note: (text) => {
      if (settings.quiet || settings.json) return;
      sink.close();
      io.stderr(`${text}\n`);
    },
    leaves: (state) => {
      left = state;
    },
  };
  try {
    const answer = await command.run(line, context);
    sink.close();
    return printAnswer(command, answer, settings, io);
  } catch (error) {
    sink.close();
    const code = printError(
      stop.signal.aborted ? stop.signal.reason : error,
      command.name,
      settings.json !== undefined,
      settings.color,
      io,
    );
    if (stop.signal.aborted) io.stderr(`${left}\n`);
    return code;
  } finally {
    forget();
    clearTimeout(timer);
  }
}

function timedOut(seconds: number): EigenError {
  return new EigenError('EW1004_INTERRUPTED', `stopped after --timeout ${seconds} s`, { hint: 'raise --timeout' });
}

function printAnswer(command: Command, answer: Answer, settings: Settings, io: Io): number {
  const { verdict } = answer;
  if (settings.json) {
    const error = verdict ? { error: errorData(verdict) } : {};
    const document = {
      ok: verdict === undefined,
      command: command.name,
      version: io.version,
      data: answer.data,
      ...error,
    };
    io.stdout(`${JSON.stringify(document, null, settings.json === 'lines' ? undefined : 2)}\n`);
  } else {
    if (answer.text) io.stdout(`${answer.text}\n`);
    if (verdict) printErrorText(verdict, settings.color, io);
  }
  return verdict?.exitCode ?? 0;
}

function errorData(e: EigenError): Record<string, unknown> {
  return { code: e.code, message: e.message, ...(e.hint ? { hint: e.hint } : {}), details: e.details };
}

function printErrorText(e: EigenError, color: boolean, io: Io): void {
  const paint = pico.createColors(color);
  io.stderr(`${paint.red('error')} ${e.message} (${e.code})\n`);
  if (e.hint) io.stderr(`hint: ${e.hint}\n`);
}

/** Expected errors are one line and a hint; anything else is a bug: one line, the stack under EIGEN_DEBUG=1. */
function printError(error: unknown, command: string | undefined, json: boolean, color: boolean, io: Io): number {
  const debug = io.env.EIGEN_DEBUG === '1';
  if (isEigenError(error)) {
    if (json)
      io.stdout(
        `${JSON.stringify({ ok: false, ...(command ? { command } : {}), version: io.version, error: errorData(error) })}\n`,
      );
    else printErrorText(error, color, io);
    if (debug) io.stderr(`${error.stack}\n${error.cause instanceof Error ? `${error.cause.stack}\n` : ''}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  const hint = 'this is a bug; set EIGEN_DEBUG=1 for the stack';
  if (json)
    io.stdout(
      `${JSON.stringify({ ok: false, ...(command ? { command } : {}), version: io.version, error: { code: 'BUG', message, hint, details: {} } })}\n`,
    );
  else io.stderr(`${pico.createColors(color).red('internal error')} ${message}\n${hint}\n`);
  if (debug && error instanceof Error) io.stderr(`${error.stack}\n`);
  return 1;
}
