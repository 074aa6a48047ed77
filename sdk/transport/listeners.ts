/** Who wants to hear of something. */
export class Listeners<T> {
  private readonly all = new Set<(value: T) => void>();

  /** Adds one; what is returned removes it. */
  add(listener: (value: T) => void): () => void {
    // Wrapped, so that one that is added twice hears twice and is removed once.
    const own = (value: T): void => listener(value);
    this.all.add(own);
    return () => void this.all.delete(own);
  }

  tell(value: T): void {
    for (const listener of [...this.all]) listener(value);
  }
}
