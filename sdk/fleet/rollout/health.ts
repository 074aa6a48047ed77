/** A metric of one device over a time: `sum` of `count` values (of failures: failures of runs). Sums, so that their order is no matter. */
export interface MetricSum {
  readonly count: number;
  readonly sum: number;
}

/** By metric. */
export type HealthSums = Readonly<Record<string, MetricSum>>;

/** By the SHA-256 of the bundle that was running. */
export type HealthByBundle = Readonly<Record<string, HealthSums>>;

/** What a health message adds: see the protocol's `health`. Times are milliseconds here. */
export function sumsOf(health: {
  readonly runs: number;
  readonly failures: number;
  readonly p95?: number | undefined;
  readonly memory?: number | undefined;
  readonly metrics?: Readonly<Record<string, number>> | undefined;
}): HealthSums {
  const one = (sum: number): MetricSum => ({ count: 1, sum });
  const own = Object.entries(health.metrics ?? {}).map(([name, value]): [string, MetricSum] => [name, one(value)]);
  return {
    ...Object.fromEntries(own),
    ...(health.runs > 0 ? { failures: { count: health.runs, sum: health.failures } } : {}),
    ...(health.p95 === undefined ? {} : { p95: one(health.p95 / 1000) }),
    ...(health.memory === undefined ? {} : { memory: one(health.memory) }),
  };
}

/** What came to a metric since `before`; undefined when nothing did. */
export function meanSince(now: MetricSum | undefined, before: MetricSum | undefined): number | undefined {
  const count = (now?.count ?? 0) - (before?.count ?? 0);
  return count > 0 ? ((now?.sum ?? 0) - (before?.sum ?? 0)) / count : undefined;
}
