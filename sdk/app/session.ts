import { type Bundle, openBundle } from '../bundle/open.ts';
import type { NamedType } from '../data/samples.ts';
import type { Engine, EngineOptions } from '../device/engine/engine.ts';
import { openEngine, openNative, openWasm } from '../device/engine/open.ts';
import { WASM_VARIANTS } from '../device/engine/wasm-kernels.ts';
import { readBytes } from '../util/files.ts';
import type { Tensor } from '../util/tensor.ts';
import { type SelfTest, testKernels } from './self-test.ts';

/** Of those that one bundle has several of. */
const NATIVE_VARIANTS = ['sse4', 'avx2', 'avxvnni', 'avx512vnni'] as const;

/**
 * Engines by name: `native` takes the best kernels that this processor runs, `wasm` the fastest ones that the start-up probe finds
 * right, names of variants force one, `reference` interprets the graph by the definitions of its operators: slow, for comparing.
 */
export const ENGINES = ['native', 'wasm', ...WASM_VARIANTS, ...NATIVE_VARIANTS, 'reference'] as const;
export type EngineName = (typeof ENGINES)[number];

export interface SessionRequest {
  /** Native kernels where the bundle has some that run here, else WebAssembly, when absent. */
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
  readonly native: boolean;
  readonly threads: number;
  /** Why it is not the engine that could be faster, in words. */
  readonly note?: string;
  readonly inputs: readonly NamedType[];
  readonly outputs: readonly NamedType[];
  /** Inputs of the original model that the bundle was built with as constants. */
  readonly fixed: Readonly<Record<string, number>>;
  /** Resident weights, activations and scratch, bytes. */
  readonly modelBytes: number;
  /** Kernels write outputs to the tensors of `into` where it has them, e.g. those of the run before: large new ones take longer than a copy. */
  run(
    inputs: Readonly<Record<string, Tensor>>,
    into?: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>>;
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
    ? { ...described, ...(await loadReference(bundle)) }
    : { ...described, ...(await loadKernels(bundle, request)) };
}

type Loaded = Pick<
  BundleSession,
  'engine' | 'variant' | 'native' | 'threads' | 'note' | 'modelBytes' | 'run' | 'runSteps' | 'selfTest' | 'close'
>;

async function loadKernels(bundle: Bundle, { engine, threads = 1 }: SessionRequest): Promise<Loaded> {
  const named = <T extends string>(list: readonly T[]): T | undefined => list.find((name) => name === engine);
  const variantOf = (variant: string | undefined): EngineOptions => ({
    threads,
    ...(variant === undefined ? {} : { variant }),
  });
  const native = named(NATIVE_VARIANTS);
  if (engine === 'native' || native) return onEngine(bundle, await openNative(bundle, variantOf(native)));
  if (engine !== undefined) return onEngine(bundle, await openWasm(bundle, variantOf(named(WASM_VARIANTS))));
  const { engine: best, ...noted } = await openEngine(bundle, { threads });
  return { ...onEngine(bundle, best), ...noted };
}

function onEngine(bundle: Bundle, loaded: Engine): Loaded {
  const run: BundleSession['run'] = async (inputs, into) => loaded.run(inputs, into);
  return {
    engine: `${loaded.platform === 'wasm' ? 'wasm' : 'native'} ${loaded.variant}`,
    variant: loaded.variant,
    native: loaded.platform !== 'wasm',
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

/** With what it takes to interpret a graph, which kernels do without. */
async function loadReference(bundle: Bundle): Promise<Loaded> {
  const [{ REFERENCE }, { graphOfBundle }, { testReference }] = await Promise.all([
    import('../../targets/index.ts'),
    import('./bundle-graph.ts'),
    import('./reference-test.ts'),
  ]);
  const graph = graphOfBundle(bundle);
  const loaded = REFERENCE.load(graph);
  const run = async (inputs: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>> => loaded.run(inputs);
  return {
    engine: REFERENCE.id,
    variant: REFERENCE.id,
    native: false,
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
