import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { EigenError } from '../../util/errors.ts';
import { nearest } from '../../util/nearest.ts';
import { arrayNamed, BUILTIN_METRICS } from './builtin.ts';
import { type Comparison, compareWith, compareWithFunction, type MetricFunction } from './compare.ts';
import type { Arrays, Metric, Outcome } from './metric.ts';

export type { Comparison, MetricFunction } from './compare.ts';
export type { Arrays, Outcome, Score } from './metric.ts';

/** A metric ready to use: what it is called and how it compares two models. */
export interface Judge {
  readonly name: string;
  /** Whether the evaluation file has what is compared with; throws EW3202_DATA_INVALID where it has not. A user's function says so itself, later. */
  check(arrays: Arrays): void;
  compare(outcome: Outcome): Promise<Comparison>;
}

/**
 * A metric by name (top1, agreement, sqnr, perplexity) or by the path of a module that exports a function of
 * (outputs, arrays) to a number, as default or named `metric`.
 * Throws EW1001_USAGE for an unknown name, EW1002_FILE_NOT_FOUND for a module that cannot be loaded.
 */
export async function loadMetric(name: string, cwd: string): Promise<Judge> {
  const builtin: Metric | undefined = Object.values(BUILTIN_METRICS).find((m) => m.name === name);
  if (builtin) return builtinJudge(builtin);
  if (!/[./\\]/.test(name)) {
    const names = Object.keys(BUILTIN_METRICS);
    const guess = nearest(name, names);
    const hint = guess ? `did you mean ${guess}?` : `one of ${names.join(', ')}, or a path such as ./metric.js`;
    throw new EigenError('EW1001_USAGE', `unknown metric '${name}'`, { hint });
  }
  const f = await importFunction(name, resolve(cwd, name));
  return { name, check: () => {}, compare: (outcome) => compareWithFunction(name, f, outcome) };
}

function builtinJudge(metric: Metric): Judge {
  const { name, needs } = metric;
  return {
    name,
    check: (arrays) => {
      if (needs !== undefined) arrayNamed(arrays, needs, name);
    },
    compare: async (outcome) => compareWith(metric, outcome),
  };
}

async function importFunction(name: string, path: string): Promise<MetricFunction> {
  const module = (await import(pathToFileURL(path).href).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EigenError('EW1002_FILE_NOT_FOUND', `metric module ${name} cannot be loaded: ${reason}`, { cause });
  })) as { default?: unknown; metric?: unknown };
  const f = module.default ?? module.metric;
  if (typeof f === 'function') return f as MetricFunction;
  throw new EigenError('EW1001_USAGE', `metric module ${name} exports no function`, {
    hint: 'export default (outputs, arrays) => number',
  });
}
