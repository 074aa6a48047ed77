import type { Tensor, TensorType } from '../../util/tensor.ts';

export type Tensors = Readonly<Record<string, Tensor>>;

export interface NamedTensorType extends TensorType {
  readonly name: string;
}

/** What a model takes and gives. */
export interface Signature {
  readonly inputs: readonly NamedTensorType[];
  readonly outputs: readonly NamedTensorType[];
}

/** A model in memory, ready to run. */
export interface LoadedModel {
  readonly signature: Signature;
  /** Weights, activations and scratch, bytes. */
  readonly modelBytes: number;
  run(inputs: Tensors): Promise<Tensors>;
  /**
   * Runs the golden inputs and compares the outputs with the hashes in the bundle.
   * @returns Milliseconds that each inference took.
   * @throws EigenError EW6004_SELF_TEST_FAILED.
   */
  runGolden(): Promise<readonly number[]>;
  close(): void;
}

/** Makes a model of the bytes of a bundle. What it throws as EigenError is the bundle's fault, anything else may pass. */
export interface ModelLoader {
  /** @param bundle is given away: its bytes may be gone after that. */
  load(bundle: Uint8Array): Promise<LoadedModel>;
}
