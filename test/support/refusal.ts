import { type EigenError, isEigenError } from '../../sdk/util/errors.ts';

/** What `f` refuses, undefined when it does not; any other error passes through. */
export function refused(f: () => unknown): EigenError | undefined {
  try {
    f();
  } catch (e) {
    if (isEigenError(e)) return e;
    throw e;
  }
  return undefined;
}

/** Code and message of it, 'none' when nothing was refused. */
export function refusal(f: () => unknown): string {
  const e = refused(f);
  return e ? `${e.code} ${e.message}` : 'none';
}
