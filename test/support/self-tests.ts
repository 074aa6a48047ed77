import type { EngineName } from '../../sdk/index.ts';
import { openSession } from '../../sdk/index.ts';

/** Self-tests of bundles in one process: with every engine, with every number of threads. */
export interface SelfTests {
  readonly bundles: readonly string[];
  readonly engines: readonly EngineName[];
  readonly threads: readonly number[];
}

/** By bundle and engine: 'equal' when all golden outputs have the hashes in the bundle, else what is wrong. */
export type SelfTestResults = Readonly<Record<string, Readonly<Record<string, string>>>>;

export async function selfTests({ bundles, engines, threads }: SelfTests): Promise<SelfTestResults> {
  const results: Record<string, Record<string, string>> = {};
  for (const bundle of bundles) {
    const row: Record<string, string> = {};
    results[bundle] = row;
    for (const engine of engines) row[engine] = await resultOf(bundle, engine, threads);
  }
  return results;
}

async function resultOf(bundle: string, engine: EngineName, threads: readonly number[]): Promise<string> {
  for (const n of threads) {
    try {
      const session = await openSession(bundle, { engine, threads: n });
      try {
        const { comparison } = await session.selfTest();
        if (comparison !== 'hashes') return `compared with ${comparison}`;
      } finally {
        session.close();
      }
    } catch (e) {
      return `${n} threads: ${e instanceof Error ? e.message : e}`;
    }
  }
  return 'equal';
}
