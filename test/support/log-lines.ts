/** A line of a log, as JSON. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly event: string };

type Fields = Readonly<Record<string, unknown>>;

export function hasFields(line: LogLine, fields: Fields): boolean {
  return Object.entries(fields).every(([name, value]) => line[name] === value);
}

/** The log of a process as it comes, to be waited for. */
export class LogLines {
  readonly lines: LogLine[] = [];
  private readonly looks = new Set<() => void>();
  private readonly parse: (line: string) => LogLine | undefined;
  private rest = '';
  private ended = false;

  /** @param parse undefined for what is no line of the log. */
  constructor(parse: (line: string) => LogLine | undefined) {
    this.parse = parse;
  }

  push(chunk: string): void {
    const parts = (this.rest + chunk).split('\n');
    this.rest = parts.pop()!;
    this.lines.push(...parts.flatMap((line) => this.parse(line) ?? []));
    for (const look of this.looks) look();
  }

  /** Nothing comes any more. */
  end(): void {
    this.ended = true;
    for (const look of this.looks) look();
  }

  /**
   * The number of the first line, from one on, that has the fields of one of these.
   * @param why what else is known when none comes in `patience` milliseconds.
   */
  find(from: number, wanted: readonly Fields[], patience: number, why: () => string): Promise<number> {
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer);
        this.looks.delete(look);
      };
      const fail = (what: string): void => {
        done();
        const last = this.lines.slice(-8).map((line) => JSON.stringify(line));
        reject(new Error(`${what} before ${JSON.stringify(wanted)}:\n${last.join('\n')}\n${why()}`));
      };
      const look = (): void => {
        const at = this.lines.findIndex((line, i) => i >= from && wanted.some((fields) => hasFields(line, fields)));
        if (at >= 0) {
          done();
          resolve(at);
        } else if (this.ended) fail('it ended');
      };
      const timer = setTimeout(() => fail(`nothing came in ${patience / 1000} s`), patience);
      this.looks.add(look);
      look();
    });
  }
}
