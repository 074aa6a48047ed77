import type { WorkKind } from './results.ts';

/** What a child process runs: this package, or somebody else's on the original model. */
export type Runtime = 'ours' | 'onnxruntime-web' | 'onnxruntime-node' | 'tfjs';

/** One column of the comparison, a process of its own for the whole benchmark. */
export interface Contestant {
  readonly id: string;
  readonly title: string;
  /** Head of its column. */
  readonly short: string;
  readonly runtime: Runtime;
  /** Major version of the Node that it runs on. */
  readonly node: number;
  /** Ours: name of the engine, or of kernels that it is to have. */
  readonly engine?: string;
  /** Which file of the model: as it is, or quantized to 8 bits. */
  readonly model?: 'fp32' | 'int8';
  /** What its process is told of the processor: AVX2 but not AVX-512, where it is not everything. */
  readonly processor?: 'avx2';
}

/** Somebody else's that is told of a lesser processor. */
export const RESTRAINED = 'nodeavx2';

export const CONTESTANTS: readonly Contestant[] = [
  { id: 'wasm20', short: 'wasm 20', title: 'ours wasm, Node 20', runtime: 'ours', node: 20, engine: 'wasm' },
  { id: 'wasm24', short: 'wasm 24', title: 'ours wasm, Node 24', runtime: 'ours', node: 24, engine: 'wasm' },
  { id: 'native', short: 'native', title: 'ours native', runtime: 'ours', node: 20, engine: 'native' },
  {
    id: 'avx2',
    short: 'native AVX2',
    title: 'ours native, AVX2',
    runtime: 'ours',
    node: 20,
    engine: 'avx2',
    processor: 'avx2',
  },
  {
    id: 'web20',
    short: 'ort-web 20',
    title: 'onnxruntime-web, Node 20',
    runtime: 'onnxruntime-web',
    node: 20,
    model: 'fp32',
  },
  {
    id: 'web24',
    short: 'ort-web 24',
    title: 'onnxruntime-web, Node 24',
    runtime: 'onnxruntime-web',
    node: 24,
    model: 'fp32',
  },
  {
    id: 'node',
    short: 'ort-node',
    title: 'onnxruntime-node fp32',
    runtime: 'onnxruntime-node',
    node: 20,
    model: 'fp32',
  },
  {
    id: RESTRAINED,
    short: 'ort-node on AVX2 alone',
    title: 'onnxruntime-node fp32 on AVX2 alone',
    runtime: 'onnxruntime-node',
    node: 20,
    model: 'fp32',
    processor: 'avx2',
  },
  {
    id: 'int8',
    short: 'ort-node int8',
    title: 'onnxruntime-node int8',
    runtime: 'onnxruntime-node',
    node: 20,
    model: 'int8',
  },
  { id: 'tfjs', short: 'tfjs', title: 'tfjs-wasm', runtime: 'tfjs', node: 20, model: 'fp32' },
];

/** The contestant whose outputs all others are compared with. */
export const REFERENCE = 'web20';

interface Pair {
  readonly ours: string;
  readonly over: string;
  readonly goal?: Readonly<Record<WorkKind, number>>;
}

/** Comparisons that are shown, with the goals of the project. */
export const PAIRS: readonly Pair[] = [
  { ours: 'wasm20', over: 'web20', goal: { convolutions: 3.3, products: 2.3 } },
  { ours: 'wasm24', over: 'web24', goal: { convolutions: 4.5, products: 2.3 } },
  { ours: 'native', over: 'node', goal: { convolutions: 3, products: 3 } },
  { ours: 'native', over: 'int8', goal: { convolutions: 1.05, products: 1.05 } },
  { ours: 'avx2', over: RESTRAINED, goal: { convolutions: 1.5, products: 1.5 } },
  // Unlike with unlike: the other one has AVX-512.
  { ours: 'avx2', over: 'node' },
  { ours: 'wasm20', over: 'tfjs' },
];
