/** Seeded pseudo-random numbers (xoshiro128**, Blackman and Vigna 2018): the same sequence on every engine. */
export class Rng {
  private readonly state: Uint32Array;

  constructor(seed: number) {
    // splitmix32 spreads a small seed over the whole state, which must not be all zero.
    let z = seed >>> 0;
    this.state = Uint32Array.from({ length: 4 }, () => {
      z = (z + 0x9e3779b9) >>> 0;
      let t = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      t = Math.imul(t ^ (t >>> 15), 0x735a2d97);
      return (t ^ (t >>> 15)) >>> 0;
    });
  }

  /** Uniform integer in [0, 2^32). */
  next(): number {
    const s = this.state;
    const x = Math.imul(s[1]!, 5);
    const out = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
    const t = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= t;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return out;
  }

  /** Uniform in [0, 1). */
  uniform(): number {
    return this.next() / 4294967296;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** Standard normal by the sum of twelve uniforms: no transcendental function, so the same on every engine. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.uniform();
    return sum;
  }

  /** 0..n-1 in random order. */
  permutation(n: number): number[] {
    const out = Array.from({ length: n }, (_, i) => i);
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j]!, out[i]!];
    }
    return out;
  }

  /** `count` of 0..n-1, ascending: one drawn from each of `count` equal strata. */
  strata(n: number, count: number): Int32Array {
    if (count >= n) return Int32Array.from({ length: n }, (_, i) => i);
    return Int32Array.from({ length: count }, (_, i) => {
      const from = Math.floor((i * n) / count);
      const to = Math.floor(((i + 1) * n) / count);
      return from + this.below(to - from);
    });
  }
}
