export type LogFields = Readonly<Record<string, unknown>>;

/** Events of the controller: a name that does not change, and what it is about. Nothing secret is ever a field. */
export interface Logger {
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
}

/** One line of JSON an event: time, level, event, fields. An error is its message, code and stack. */
export function jsonLines(write: (line: string) => void, now: () => number): Logger {
  const log =
    (level: string) =>
    (event: string, fields: LogFields = {}): void => {
      const line = { time: new Date(now()).toISOString(), level, event, ...fields };
      write(`${JSON.stringify(line, (_, value) => (value instanceof Error ? describe(value) : value))}\n`);
    };
  return { info: log('info'), warn: log('warn'), error: log('error') };
}

function describe(e: Error): LogFields {
  // The stack of an expected failure says nothing that its message does not.
  const code = 'code' in e ? { code: e.code } : {};
  return { message: e.message, ...code, ...('hint' in e ? { hint: e.hint } : { stack: e.stack }) };
}
