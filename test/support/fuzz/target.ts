import { isEigenError } from '../../../sdk/util/errors.ts';
import { Rng } from '../../../sdk/util/rng.ts';

/** What became of an input: refused in the words for that, or taken for what it is. */
export type Fate = 'refused' | 'taken';

/** Something that reads bytes which come from outside. */
export interface FuzzTarget {
  readonly name: string;
  /** Of a thousand inputs, so many. */
  readonly share: number;
  /** Tries one input that these random numbers make. Throws where what became of it is wrong. */
  once(rng: Rng): Fate | Promise<Fate>;
}

export interface FuzzReport {
  readonly name: string;
  readonly inputs: number;
  readonly taken: number;
  /** The longest that one input took, milliseconds. */
  readonly longest: number;
}

/** Tries the inputs with these numbers, the same every time. Throws at the first that goes wrong, naming its number. */
export async function fuzz(
  { name, once }: FuzzTarget,
  [from, to]: readonly [number, number],
  tried: (input: number) => void = () => undefined,
): Promise<FuzzReport> {
  let taken = 0;
  let longest = 0;
  for (let input = from; input < to; input++) {
    const begun = performance.now();
    try {
      if ((await once(new Rng(input))) === 'taken') taken++;
    } catch (cause) {
      const what = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${name}, input ${input}: ${what}`, { cause });
    }
    longest = Math.max(longest, performance.now() - begun);
    tried(input);
  }
  return { name, inputs: to - from, taken, longest };
}

/** Gives what `read` gives, or undefined where it refuses with one of these codes; anything else that it throws is wrong. */
export function refusing<T>(codes: RegExp, read: () => T): T | undefined {
  try {
    return read();
  } catch (e) {
    return unlessRefused(codes, e);
  }
}

/** The same where it takes its time. */
export async function refusingLater<T>(codes: RegExp, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (e) {
    return unlessRefused(codes, e);
  }
}

/** What others wrote is not quoted at length. */
const LONGEST_MESSAGE = 1000;

function unlessRefused(codes: RegExp, e: unknown): undefined {
  if (!isEigenError(e) || !codes.test(e.code)) throw e;
  if (e.message.length > LONGEST_MESSAGE) throw new Error(`a refusal of ${e.message.length} characters`, { cause: e });
  return undefined;
}

/** Fails where two things that have to be equal bytes are not. */
export function sameBytes(what: string, one: Uint8Array, other: Uint8Array): void {
  if (Buffer.compare(one, other) !== 0) throw new Error(`accepted, and ${what} is another`);
}
