/** Longest wait, seconds, where nothing else is said: a machine under load is slow. */
const PATIENCE = 45;

export interface Patience {
  /** What there is, for the error. */
  saw?(): unknown;
  readonly seconds?: number;
}

/**
 * Waits for something to become true.
 * @throws Error that says what was waited for, and what there was in its place.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { saw, seconds = PATIENCE }: Patience = {},
): Promise<void> {
  const end = performance.now() + 1000 * seconds;
  while (!(await within(`whether ${what}`, condition(), seconds))) {
    if (performance.now() > end) {
      const seen = saw ? `; there is ${JSON.stringify(await within(`why not: ${what}`, saw()))}` : '';
      throw new Error(`not in ${seconds} s: ${what}${seen}`);
    }
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

/** What was promised. @throws Error that says what was waited for, when it does not come in time. */
export async function within<T>(what: string, promised: T | Promise<T>, seconds = PATIENCE): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came in ${seconds} s: ${what}`)), 1000 * seconds);
  });
  return Promise.race([promised, late]).finally(() => clearTimeout(timer));
}
