import type { Io } from '../../sdk/cli/app.ts';

/** A process made of strings: what was printed, and a Ctrl-C that the test presses. */
export interface FakeIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
  readonly exits: number[];
  press(): void;
}

export function fakeIo(overrides: Partial<Io> = {}): FakeIo {
  let out = '';
  let err = '';
  let handler: (() => void) | undefined;
  const exits: number[] = [];
  return {
    version: '1.2.3',
    cwd: '/somewhere',
    env: {},
    stderrIsTerminal: false,
    clock: () => 0,
    stdout: (t) => {
      out += t;
    },
    stderr: (t) => {
      err += t;
    },
    onInterrupt: (h) => {
      handler = h;
      return () => {
        handler = undefined;
      };
    },
    exit: (code) => {
      exits.push(code);
    },
    ...overrides,
    out: () => out,
    err: () => err,
    exits,
    press: () => handler?.(),
  };
}
