import { cpus } from 'node:os';
import { probeHost } from '../device/probe.ts';
import { type Contestant, compareSpeed, repeated, type Timing } from '../measure/benchmark.ts';
import { hasOracle, type Oracle, openOracle } from '../measure/oracle/ort.ts';
import type { Work } from '../pipeline.ts';
import { EigenError } from '../util/errors.ts';
import { packageVersion } from '../util/package.ts';
import type { Tensor } from '../util/tensor.ts';
import { readOriginal } from './original.ts';
import { relativeError } from './reference-test.ts';
import { firstSample } from './sample.ts';
import { type EngineName, openSession } from './session.ts';

export interface BenchRequest {
  readonly bundle: string;
  /** The model that the bundle was made from. */
  readonly model: string;
  /** .npz whose first sample is used; the bundle's golden inputs otherwise. */
  readonly input?: string;
  /** Ours; the fastest kernels that are right here by default. */
  readonly engine?: EngineName;
  readonly threads: number;
  readonly rounds?: number;
}

export interface BenchRow extends Timing {
  readonly version: string;
  /** Largest difference of an output from ours, relative to the largest magnitude of that output; absent for ours. */
  readonly error?: number;
}

export interface BenchReport {
  readonly timings: readonly BenchRow[];
  /** How many times faster the bundle is, by name of the other. */
  readonly speedups: Readonly<Record<string, number>>;
  readonly threads: number;
  readonly machine: { readonly processor: string; readonly cores: number; readonly node: string };
}

/** Times a bundle against the original model in onnxruntime-web, and onnxruntime-node where it is installed, and compares their outputs. */
export async function benchBundle(request: BenchRequest, work: Work = {}): Promise<BenchReport> {
  const session = await openSession(request.bundle, { engine: request.engine, threads: request.threads });
  const oracles: Oracle[] = [];
  try {
    const { dims = {} } = session.bundle.manifest.settings;
    const settings = { dims: dims as Record<string, number>, fixed: session.fixed };
    const { bytes, externalData, fixed } = await readOriginal(request.model, settings);
    for (const name of ['onnxruntime-web', 'onnxruntime-node'] as const) {
      if (hasOracle(name)) oracles.push(await openOracle(name, bytes, { threads: request.threads, externalData }));
    }
    const inputs = await firstSample(session, request.input);
    const all = { ...inputs, ...fixed };
    const ours = await session.run(inputs);
    const errors = new Map<string, number>();
    for (const o of oracles) errors.set(o.name, largestError(ours, await firstRun(o, all)));
    const contestants: Contestant[] = [
      { name: `eigenweights (${session.engine})`, run: repeated(session, inputs) },
      ...oracles.map((o) => ({ name: o.name, run: repeated(o, all) })),
    ];
    const compared = await compareSpeed(contestants, {
      ...(request.rounds ? { rounds: request.rounds } : {}),
      ...(work.signal ? { signal: work.signal } : {}),
      onRound: (done, total) => work.progress?.({ stage: 'bench', done, total }),
    });
    const versions = new Map(oracles.map((o) => [o.name as string, o.version]));
    return {
      timings: compared.timings.map((t) => ({
        ...t,
        version: versions.get(t.name) ?? packageVersion(),
        ...(errors.has(t.name) ? { error: errors.get(t.name)! } : {}),
      })),
      speedups: compared.speedups,
      threads: request.threads,
      machine: { processor: cpus()[0]?.model ?? 'unknown', cores: probeHost().availableCores, node: process.version },
    };
  } finally {
    session.close();
    for (const o of oracles) await o.close();
  }
}

/** The first run of the original says whether it is one: its inputs are those of the bundle. */
async function firstRun(oracle: Oracle, inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> {
  try {
    return await oracle.run(inputs);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EigenError(
      'EW3202_DATA_INVALID',
      `${oracle.name} cannot run the model on inputs of the bundle: ${reason}`,
      {
        hint: 'Give the model that the bundle was made from.',
        cause,
      },
    );
  }
}

/** Of all outputs; infinite when one is missing or has another size. */
function largestError(ours: Readonly<Record<string, Tensor>>, theirs: Readonly<Record<string, Tensor>>): number {
  const errors = Object.entries(theirs).map(([name, expected]) => {
    const got = ours[name];
    return got ? relativeError(got, expected) : Number.POSITIVE_INFINITY;
  });
  return Math.max(0, ...errors);
}
