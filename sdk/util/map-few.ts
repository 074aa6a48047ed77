/** The results of `f` in the order of `items`, with at most `most` of them in work at one time. Rejects with the first that fails. */
export async function mapFew<T, R>(
  items: readonly T[],
  most: number,
  f: (item: T, index: number) => R | Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      const i = next++;
      results[i] = await f(items[i]!, i);
    }
  };
  await Promise.all(Array.from({ length: most }, work));
  return results;
}
