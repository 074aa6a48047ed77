/**
 * What the cost model takes to be the same on all boards. The values are those with the least error on the published latencies of all
 * boards; what that error is worth is told by leaving a board out: `npm run bench:cost` fits them to all others by the same search and
 * tries them on it.
 */
export interface SharedConstants {
  /** n threads do n^e of the multiplications of one: they share clocks and caches. */
  readonly computeExponent: number;
  /** And move n^e of the bytes: they share one memory. */
  readonly memoryExponent: number;
  /** Multiplications per element moved below which a layer cannot keep the multiplier busy: depthwise, matrix-vector. */
  readonly lightMacsPerElement: number;
  /** Packing and requantizing cost integer kernels this much of their peak, on top of what costs float kernels as well. */
  readonly int8Share: number;
  /** What Winograd saves in the published float runtimes over all, of the 2.25 to 4 that the algorithm could. */
  readonly winogradGain: number;
  /** Times that its transforms move input and output once more. */
  readonly winogradMoves: number;
  /** Microseconds that a step is assumed to cost on an application core. */
  readonly overheadUs: number;
  /** 10^9 B/s that one application core is assumed to move at most. */
  readonly oneCoreGBps: number;
  /** How strongly the fit of a board is drawn to its assumed constants, in published latencies. */
  readonly ridge: readonly [efficiency: number, bandwidth: number, overhead: number];
}

export const SHARED: SharedConstants = {
  computeExponent: 0.8,
  memoryExponent: 0.2,
  lightMacsPerElement: 20,
  int8Share: 0.7,
  winogradGain: 2.5,
  winogradMoves: 4,
  overheadUs: 40,
  oneCoreGBps: 3,
  ridge: [0.3, 0.03, 0.1],
};
