import type { DType } from '../util/tensor.ts';

/**
 * What a device runs: a list of kernel calls over one arena and one block of resident weights. Plain data (JSON in the
 * bundle's manifest); the compiler writes it, every engine reads it.
 */
export interface Program {
  readonly name: string;
  readonly inputs: readonly Slot[];
  readonly outputs: readonly Slot[];
  /** Steps in order; step i is the exported function `ew_step_<i>(weights, arena, scratch, part, parts)` of the kernel module. */
  readonly steps: readonly Step[];
  /** Activations, bytes. Offsets of slots are into it. */
  readonly arenaBytes: number;
  /** Working memory of the kernels, bytes for each part of a parallel run. */
  readonly scratchBytes: number;
  /** Resident constants, in address order, every offset a multiple of WEIGHT_ALIGN. */
  readonly weights: readonly WeightSlot[];
  readonly weightBytes: number;
}

/**
 * Bytes between the working memories of two parts that nobody touches: as far as processors fetch ahead of what they write, which would take
 * another's lines out of its cache again and again.
 */
export const SCRATCH_APART = 16384;

export interface Slot {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  /** Of inputs and outputs that are codes: a value is its code times this. */
  readonly scale?: number | undefined;
}

export interface Step {
  /** Name of the graph node that this step comes from (the producer, where several were fused). */
  readonly node: string;
  /** Kernel class, for profiles and reports. */
  readonly kind: string;
  /** Multiply-accumulates of one run. */
  readonly macs: number;
  /** Bytes of activations and weights read and written, each counted once. */
  readonly bytes: number;
  /** Activations that must be in memory before this step, as ranges of the arena: what a paused run has to save. */
  readonly live: readonly Slot[];
}

/** Bytes that the offset of every resident constant is a multiple of; the compiler aligns large ones better. */
export const WEIGHT_ALIGN = 8;

/** One resident constant. */
export interface WeightSlot {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
  readonly layout: WeightLayout;
}

/**
 * How the constant's logical tensor becomes resident bytes (sdk/wire/layout.ts does it, on the host and at install).
 *  - plain: the tensor's own bytes.
 *  - panels: weight codes [rows, cols] i8 in tiles of 8 rows, each at one of `widths` bits a code, wider codes listed (sdk/wire/panels.ts);
 *    `bits` hold any of the codes, and how well they pack decides `bytes`. Behind them is `room` for an engine that holds tiles in
 *    another form (sdk/wire/row-tiles.ts).
 *  - log8: f32 scales on the grid of scaleFromLog8(base, e) (sdk/util/log8.ts): base as f32, then an i8 exponent each.
 *  - f16: f32 whose every element is finite and exact in half precision, as half precision.
 *  - narrow: integers, as the smaller type `to`.
 *  - panelsF32: f32 [rows, cols] in tiles of 8 rows: [row tile][col][8].
 *  - transposed: [rows, cols] as [cols][rows], rows padded to a multiple of `multiple` with zeros (depthwise filters).
 */
export type WeightLayout =
  | { readonly kind: 'plain' }
  | {
      readonly kind: 'panels';
      readonly rows: number;
      readonly cols: number;
      readonly bits: number;
      /** Ascending. */
      readonly widths: readonly number[];
      readonly bytes: number;
      readonly room?: number;
    }
  | { readonly kind: 'log8'; readonly base: number }
  | { readonly kind: 'f16' }
  | { readonly kind: 'narrow'; readonly to: 'i8' | 'i16' }
  | { readonly kind: 'panelsF32'; readonly rows: number; readonly cols: number }
  | { readonly kind: 'transposed'; readonly rows: number; readonly cols: number; readonly multiple: number };
