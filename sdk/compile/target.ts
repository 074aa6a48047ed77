import type { Graph } from '../ir/graph.ts';
import type { Tensor } from '../util/tensor.ts';
import type { KernelModule, Platform } from '../wire/kernels.ts';
import type { Program } from '../wire/program.ts';
import type { Direct } from './emit/c/direct.ts';
import type { Profile } from './profile.ts';

/**
 * What the compiler needs to know about a target: data first (the vector header its kernels are written against, its
 * variants), code second (a toolchain). Adding a target is one folder under targets/ and one line in targets/index.ts.
 */
export interface KernelVariant {
  /** File name stem in the bundle, e.g. `simd128` or `dot7`. */
  readonly id: string;
  /** Preprocessor symbols the emitted C is compiled with. */
  readonly defines: readonly string[];
  /** Extra flags for the toolchain. */
  readonly flags: readonly string[];
  /** Left out where the compiler does not take it: its instructions are newer than others'. */
  readonly optional?: boolean;
  /** What its kernels are written with, where it is not the target's. */
  readonly vectors?: Vectors;
}

/**
 * What kernels are written with. The program (steps, arena, weights) does not depend on it, but for the scratch: kernels of several
 * targets run the same program.
 */
export interface Vectors {
  /** C text that defines the vector vocabulary (see targets/wasm/simd.ts). */
  readonly header: string;
  /**
   * The header has the types `sum7` and `sum16`, sums of eight channels in whatever form adds up fastest, which take 16 columns of bytes
   * or 8 of 16 bits at a time (targets/aarch64/simd.ts). Without them products are made of `b16_dot7` and `h8_dot`.
   */
  readonly sums?: boolean;
  /** The header has wide vectors as well. */
  readonly wide?: WideVectors;
  /** C text behind the kernels, for an engine that needs more than the functions of the steps. */
  entry?(program: Program, direct?: Direct): string;
}

/** Vectors of more than four lanes, and micro-kernels of integer products on them (targets/host/wide.ts). */
export interface WideVectors {
  readonly lanes: 8 | 16;
  /** Shape of the largest micro-kernel: rows, vectors of channels. */
  readonly rows: number;
  readonly columns: number;
  /** Products of four bytes go into a sum of 32 bits at once. */
  readonly vnni: boolean;
  /** Bytes a column of a row of bytes that is made ready to be multiplied with tiles of codes as those are unpacked. */
  readonly rowBytes: number;
}

export interface BuildOptions {
  /** The user's own compiler, with its arguments. */
  readonly own?: string | undefined;
  /** Kernels soon rather than the fastest ones, where the target has a choice; what they compute is the same. */
  readonly quick?: boolean;
}

export interface Target {
  readonly id: string;
  readonly summary: string;
  readonly platform: Platform;
  readonly vectors: Vectors;
  readonly variants: readonly KernelVariant[];
  /** Whether its kernels are for a board; WebAssembly runs on all of them. */
  serves(profile: Profile): boolean;
  /** Ids of the variants that are of use on a board it serves; all when absent. */
  variantsFor?(profile: Profile): readonly string[];
  /** What compiles its kernels here, in words; undefined when there is nothing that could. `own` names the user's compiler. */
  toolchain(own?: string): Promise<string | undefined>;
  /**
   * Compiles one C translation unit; content-addressed caching is the target's business. Throws EW5001_TOOL_MISSING when there is no
   * toolchain.
   */
  build(
    source: string,
    variant: KernelVariant,
    exportsNames: readonly string[],
    how?: BuildOptions,
  ): Promise<KernelModule>;
  /** Ends what stays in memory between two builds. */
  rest?(): void;
}

/** The target without kernels: runs a graph by the definitions of its operators, so that every other one can be compared with it. */
export interface ReferenceTarget {
  readonly id: 'reference';
  readonly summary: string;
  load(graph: Graph): LoadedGraph;
}

export interface LoadedGraph {
  /** Constants and the largest set of live activations, bytes. */
  readonly modelBytes: number;
  /** `ended` is told of every node of the graph, by its index. */
  run(inputs: Readonly<Record<string, Tensor>>, ended?: (node: number) => void): Record<string, Tensor>;
}
