/** What is said about an event besides its name; values that are undefined are left out. */
export type LogFields = Readonly<Record<string, unknown>>;
export type Level = 'info' | 'warn' | 'error';
export type Log = (level: Level, event: string, fields?: LogFields) => void;

/** Structured logs: one JSON object a line, with the time, the level and the name of the event first. */
export function jsonLog(write: (line: string) => void, now: () => number): Log {
  return (level, event, fields = {}) =>
    write(`${JSON.stringify({ time: new Date(now()).toISOString(), level, event, ...fields })}\n`);
}

/** An error as fields of a log: its code where it has one, and what it says. */
export function errorFields(e: unknown): LogFields {
  const code = typeof e === 'object' && e !== null && 'code' in e ? String(e.code) : undefined;
  return { code, reason: e instanceof Error ? e.message : String(e) };
}
