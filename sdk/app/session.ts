import { REFERENCE } from '../../targets/index.ts';
import { type Bundle, installWeights, kernelOf, kernelVariants, openBundle } from '../bundle/index.ts';
import type { NamedType } from '../data/samples.ts';
import { WasmEngine } from '../device/engine/wasm.ts';
import { readBytes } from '../util/files.ts';
import type { Tensor } from '../util/tensor.ts';
import { graphOfBundle } from './bundle-graph.ts';
import { type SelfTest, testKernels, testReference } from './self-test.ts';

/**
 * Engines by name: `wasm` takes the fastest kernels that the start-up probe finds right, `simd128` and `dot7` force a variant,
 * `reference` interprets the graph by the definitions of its operators: slow, for comparing.
 */
export const ENGINES = ['wasm', 'simd128', 'dot7', 'reference'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface SessionRequest {
  readonly engine?: EngineName | undefined;
  /** 1 by default; the outputs do not depend on it. The reference engine has one. */
  readonly threads?: number | undefined;
}

export interface OpenRequest extends SessionRequest {
  /** Runs from the first bytes of the file only, as a device may whose download has not ended. */
  readonly firstBytes?: number | undefined;
}

/** A bundle ready to run. */
export interface BundleSession {
  readonly bundle: Bundle;
  /** Engine and kernel variant in use. */
  readonly engine: string;
  /** Kernel variant in use; the engine itself where it has none. */
  readonly variant: string;
  readonly threads: number;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Inputs of the original model that the bundle was built with as constants. */
  readonly fixed: Readonly<Record<string, number>>;
  /** Resident weights, activations and scratch, bytes. */
  readonly modelBytes: number;
  run(inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  /**
   * One inference that tells of every step as it ends: of the program's steps by their index, of the graph's nodes with the reference
   * engine. What a profile is timed by.
   */
  runSteps(inputs: Readonly<Record<string, Tensor>>, ended: (step: number) => void): void;
  /**
   * Runs the golden inputs. Kernels must give the hashes in the bundle; the reference engine is compared with kernels that do. With a
   * part of a bundle there is nothing to compare with.
   * Throws EW6004_SELF_TEST_FAILED naming the output, EW6001_BUNDLE_UNREADABLE when there are no golden inputs.
   */
  selfTest(): Promise<SelfTest>;
  close(): void;
}

/** Opens, verifies and loads a bundle file. Throws EW6005_BUNDLE_INCOMPLETE when `firstBytes` are too few. */
export async function openSession(path: string, request: OpenRequest = {}): Promise<BundleSession> {
  const { firstBytes = Number.POSITIVE_INFINITY, ...session } = request;
  const bytes = await readBytes(path);
  const partial = firstBytes < bytes.length;
  return loadSession(openBundle(partial ? bytes.subarray(0, firstBytes) : bytes, { partial }), session);
}

/** Loads an opened bundle into an engine. Throws EW5003_ENGINE_UNAVAILABLE when the bundle has nothing for it. */
export async function loadSession(bundle: Bundle, request: SessionRequest = {}): Promise<BundleSession> {
  const { program, settings } = bundle.manifest;
  const described = {
    bundle,
    inputs: program.inputs,
    outputs: program.outputs,
    fixed: (settings.set ?? {}) as Record<string, number>,
  };
  return request.engine === 'reference'
    ? { ...described, ...loadReference(bundle) }
    : { ...described, ...(await loadKernels(bundle, request)) };
}

type Loaded = Pick<
  BundleSession,
  'engine' | 'variant' | 'threads' | 'modelBytes' | 'run' | 'runSteps' | 'selfTest' | 'close'
>;

async function loadKernels(bundle: Bundle, { engine = 'wasm', threads = 1 }: SessionRequest): Promise<Loaded> {
  const modules = kernelVariants(bundle).map((variant) => ({ variant, bytes: kernelOf(bundle, variant)! }));
  const loaded = await WasmEngine.load(bundle.manifest.program, modules, installWeights(bundle), {
    threads,
    ...(engine === 'wasm' ? {} : { variant: engine }),
  });
  const run = async (inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> => loaded.run(inputs);
  return {
    engine: `wasm ${loaded.variant}`,
    variant: loaded.variant,
    threads: loaded.threads,
    modelBytes: loaded.modelBytes,
    run,
    runSteps: (inputs, ended) => {
      loaded.setInputs(inputs);
      loaded.runSteps(0, loaded.program.steps.length, ended);
    },
    selfTest: () => testKernels(bundle, run),
    close: () => loaded.close(),
  };
}

function loadReference(bundle: Bundle): Loaded {
  const graph = graphOfBundle(bundle);
  const loaded = REFERENCE.load(graph);
  const run = async (inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> => loaded.run(inputs);
  return {
    engine: REFERENCE.id,
    variant: REFERENCE.id,
    threads: 1,
    modelBytes: loaded.modelBytes,
    run,
    runSteps: (inputs, ended) => {
      loaded.run(inputs, ended);
    },
    selfTest: async () => {
      if (bundle.received) return testKernels(bundle, run);
      let kernels: Loaded | undefined;
      const proven = async (): Promise<Loaded> => {
        if (kernels) return kernels;
        kernels = await loadKernels(bundle, {});
        await kernels.selfTest();
        return kernels;
      };
      try {
        return await testReference(bundle, graph, run, proven);
      } finally {
        kernels?.close();
      }
    },
    close: () => {},
  };
}
