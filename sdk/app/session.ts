import { type Bundle, goldenInputsOf, installWeights, kernelOf, kernelVariants, readBundle } from '../bundle/index.ts';
import { type NamedType, samplesOf } from '../data/samples.ts';
import { WasmEngine } from '../device/engine/wasm.ts';
import { EigenError } from '../util/errors.ts';
import { sha256OfTensor } from '../util/hash.ts';
import type { Tensor } from '../util/tensor.ts';

/** Engines by name: `wasm` takes the fastest kernels that the start-up probe finds right, the others force a variant. */
export const ENGINES = ['wasm', 'simd128', 'dot7'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface SessionRequest {
  readonly engine?: EngineName | undefined;
  /** 1 by default; the outputs do not depend on it. */
  readonly threads?: number | undefined;
}

export interface SelfTest {
  readonly cases: number;
  readonly outputs: readonly string[];
}

/** A bundle ready to run. */
export interface BundleSession {
  readonly bundle: Bundle;
  /** Kernel variant in use. */
  readonly engine: string;
  readonly threads: number;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Inputs of the original model that the bundle was built with as constants. */
  readonly fixed: Readonly<Record<string, number>>;
  /** Resident weights, activations and scratch, bytes. */
  readonly modelBytes: number;
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /** Runs the golden inputs. Throws EW6004_SELF_TEST_FAILED naming the output, EW6001_BUNDLE_UNREADABLE when there are none. */
  selfTest(): Promise<SelfTest>;
  close(): void;
}

/** Opens, verifies and loads a bundle file. */
export async function openSession(path: string, request: SessionRequest = {}): Promise<BundleSession> {
  return loadSession(await readBundle(path), request);
}

/** Loads an opened bundle into an engine. */
export async function loadSession(bundle: Bundle, request: SessionRequest = {}): Promise<BundleSession> {
  const { program, settings } = bundle.manifest;
  const modules = kernelVariants(bundle).map((variant) => ({ variant, bytes: kernelOf(bundle, variant)! }));
  const { engine = 'wasm', threads = 1 } = request;
  const loaded = await WasmEngine.load(program, modules, installWeights(bundle), {
    threads,
    ...(engine === 'wasm' ? {} : { variant: engine }),
  });
  const run = async (inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> => loaded.run(inputs);
  return {
    bundle,
    engine: `wasm ${loaded.variant}`,
    threads: loaded.threads,
    inputs: program.inputs,
    outputs: program.outputs,
    fixed: (settings.set ?? {}) as Record<string, number>,
    modelBytes: loaded.modelBytes,
    run,
    selfTest: () => selfTest(bundle, run),
    close: () => loaded.close(),
  };
}

async function selfTest(bundle: Bundle, run: BundleSession['run']): Promise<SelfTest> {
  const { golden, program } = bundle.manifest;
  const inputs = goldenInputsOf(bundle);
  if (!golden || !inputs)
    throw new EigenError('EW6001_BUNDLE_UNREADABLE', 'the bundle has no golden inputs to test itself with', {
      hint: 'Build it again with this version.',
    });
  const samples = samplesOf(inputs, program.inputs, { source: golden.inputs });
  for (let i = 0; i < samples.count; i++) {
    const outputs = await run(samples.at(i));
    for (const { name, sha256 } of golden.outputs) {
      const got = sha256OfTensor(outputs[name]!);
      if (got === sha256[i]) continue;
      throw new EigenError(
        'EW6004_SELF_TEST_FAILED',
        `golden input ${i}: output '${name}' has the hash ${got}, expected ${sha256[i]}`,
        {
          hint: 'Try --engine simd128; if that is right, this machine computes the faster kernels wrongly.',
          details: { sample: i, output: name, got, expected: sha256[i] },
        },
      );
    }
  }
  return { cases: samples.count, outputs: golden.outputs.map((o) => o.name) };
}
