import type { WeightSlot } from '../wire/program.ts';
import { type WireSize, wireSizes } from '../wire/weights.ts';
import { MANIFEST, type PartRole, WEIGHTS } from './names.ts';
import type { Bundle } from './open.ts';

/** Bytes of the weight payload by what they are; they sum to the part weights.ewt. */
export interface WeightBreakdown {
  /** Entropy-coded weight codes with their tables. */
  readonly codes: number;
  /** Scales and factors: f32 sent as log8 or half precision. */
  readonly scales: number;
  /** Coded integers, and plain vectors. */
  readonly biases: number;
  /** Everything else: plain matrices of uncompressed layers. */
  readonly other: number;
  /** Kinds, lengths and the stream's own header. */
  readonly headers: number;
}

export interface BundleDescription {
  readonly digest: string;
  readonly bytes: number;
  /** Bytes of tar headers, padding and the digest: what is in no part. */
  readonly containerBytes: number;
  /** The manifest, then the listed parts in archive order. */
  readonly parts: readonly {
    readonly name: string;
    readonly role: PartRole | 'manifest';
    readonly bytes: number;
    readonly inflatedBytes?: number | undefined;
  }[];
  readonly weights: WeightBreakdown;
  /** Resident forms: weights, activations, scratch of one thread. */
  readonly residentWeightBytes: number;
  readonly arenaBytes: number;
  readonly scratchBytes: number;
}

/** What a bundle is made of, in bytes. */
export function describeBundle(bundle: Bundle): BundleDescription {
  const { program, parts } = bundle.manifest;
  const listed = [
    { name: MANIFEST, role: 'manifest' as const, bytes: bundle.manifestBytes.length },
    ...parts.map(({ name, role, bytes, inflatedBytes }) => ({ name, role, bytes, inflatedBytes })),
  ];
  return {
    digest: bundle.digest,
    bytes: bundle.bytes,
    containerBytes: bundle.bytes - listed.reduce((sum, p) => sum + p.bytes, 0),
    parts: listed,
    weights: breakdownOf(bundle.parts.get(WEIGHTS)!, program.weights),
    residentWeightBytes: program.weightBytes,
    arenaBytes: program.arenaBytes,
    scratchBytes: program.scratchBytes,
  };
}

/** Sizes of a weight stream by kind, from the coding and the shape of every constant. */
export function breakdownOf(stream: Uint8Array, slots: readonly WeightSlot[]): WeightBreakdown {
  const sizes = wireSizes(stream, slots);
  const out = { codes: 0, scales: 0, biases: 0, other: 0, headers: 0 };
  sizes.forEach((size, i) => {
    out[classOf(size, slots[i])] += size.payloadBytes;
    out.headers += size.headerBytes;
  });
  return out;
}

function classOf(size: WireSize, slot: WeightSlot): 'codes' | 'scales' | 'biases' | 'other' {
  switch (size.kind) {
    case 'codes':
      return 'codes';
    case 'f16':
    case 'log8':
      return 'scales';
    case 'ints':
      return 'biases';
    case 'plain':
      return slot.shape.length <= 1 ? 'biases' : 'other';
  }
}
