/** A metric of one device over a time: `sum` of `count` values (of failures: failures of runs). */
export interface MetricSum {
  readonly count: number;
  readonly sum: number;
}

/** By metric. */
export type HealthSums = Readonly<Record<string, MetricSum>>;

/** What a device measured before its wave had its turn, and since with what it is to be compared by. */
export interface HealthChange {
  readonly before: HealthSums;
  readonly after: HealthSums;
}

export function meanOf(sum: MetricSum | undefined): number | undefined {
  return sum && sum.count > 0 ? sum.sum / sum.count : undefined;
}
