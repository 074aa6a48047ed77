import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';

/** What has to hold before an update begins; nothing is asked for that is absent. */
export interface ConditionRules {
  /** Times of day between which updates may begin, HH:MM by the clock of the device; over midnight where the end is before the beginning. */
  readonly window?: { readonly from: string; readonly to: string };
  /** A file of the system with a number (thousandths of a degree, percent, 0 or 1), and between what it has to be. */
  readonly temperature?: Reading;
  readonly power?: Reading;
  /** A program and its arguments: not 0 means wait, its first line says why. */
  readonly command?: readonly string[];
}

export interface Reading {
  readonly file: string;
  readonly least?: number;
  readonly most?: number;
}

/** How a hook is asked; tests give their own. */
export interface Hooks {
  read(file: string): Promise<string>;
  /** Ends of a program: its exit code, and what it printed. */
  execute(command: readonly string[]): Promise<{ readonly code: number; readonly output: string }>;
}

/** Time that a program of the user's may take, milliseconds. */
const HOOK_TIMEOUT = 10_000;
const HOOK_OUTPUT = 64 << 10;

export const systemHooks: Hooks = {
  read: (file) => readFile(file, 'utf8'),
  execute: ([program, ...args]) =>
    new Promise((resolve) => {
      execFile(program!, args, { timeout: HOOK_TIMEOUT, maxBuffer: HOOK_OUTPUT }, (e, stdout, stderr) => {
        const printed = `${stdout}${stderr}`.trim();
        const code = e ? (typeof e.code === 'number' ? e.code : 1) : 0;
        resolve({ code, output: printed === '' && e ? e.message : printed });
      });
    }),
};

/** Where Linux says how warm the processor is, thousandths of a degree. */
const THERMAL_ZONE = '/sys/class/thermal/thermal_zone0/temp';

/** Degrees Celsius; undefined where the system does not say. */
export async function temperatureOf(hooks: Pick<Hooks, 'read'>): Promise<number | undefined> {
  const text = await hooks.read(THERMAL_ZONE).catch(() => '');
  const degrees = Number(text.trim()) / 1000;
  return text.trim() !== '' && Number.isFinite(degrees) ? degrees : undefined;
}

/** Why this is no time for an update; undefined when it is. A hook that cannot be asked says no. */
export async function unmetCondition(rules: ConditionRules, date: Date, hooks: Hooks): Promise<string | undefined> {
  const { window, command } = rules;
  if (window && !isWithin(window, date)) return `updates begin between ${window.from} and ${window.to}`;
  for (const name of ['temperature', 'power'] as const) {
    const rule = rules[name];
    const problem = rule && (await readingProblem(rule, hooks));
    if (problem !== undefined) return `${name}: ${problem}`;
  }
  return command && commandProblem(command, hooks);
}

/** What a program of the user's has against it; undefined when nothing. */
export async function commandProblem(command: readonly string[], hooks: Hooks): Promise<string | undefined> {
  const { code, output } = await hooks.execute(command);
  if (code === 0) return undefined;
  const [line] = output.split('\n');
  return `${command[0]} ended with ${code}${line ? `: ${line.slice(0, 200)}` : ''}`;
}

function isWithin({ from, to }: { readonly from: string; readonly to: string }, date: Date): boolean {
  const [begin, end] = [minutesOf(from), minutesOf(to)];
  const now = date.getHours() * 60 + date.getMinutes();
  return begin <= end ? now >= begin && now < end : now >= begin || now < end;
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number) as [number, number];
  return hours * 60 + minutes;
}

async function readingProblem({ file, least, most }: Reading, hooks: Hooks): Promise<string | undefined> {
  const text = await hooks.read(file).catch((e: Error) => e);
  if (text instanceof Error) return `${file} cannot be read: ${text.message}`;
  const value = Number(text.trim());
  if (text.trim() === '' || !Number.isFinite(value)) return `${file} has no number in it`;
  if (least !== undefined && value < least) return `${value} in ${file}, at least ${least} is needed`;
  if (most !== undefined && value > most) return `${value} in ${file}, at most ${most} is allowed`;
  return undefined;
}
