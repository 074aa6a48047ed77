import { sizeOf, viewBytes } from '../../util/tensor.ts';
import { damaged } from '../../wire/bits.ts';
import { type CodedWeights, codingOf, decodeCodes, encodeCodesAs } from '../../wire/codes.ts';
import { ordered, type Values } from '../../wire/differences.ts';
import type { WeightSlot } from '../../wire/program.ts';
import { wireKind } from '../../wire/weights.ts';

/** A constant of a weight stream with its bytes. */
export interface ConstantBytes {
  readonly kind: number;
  readonly payload: Uint8Array;
  readonly refinements: readonly Uint8Array[];
}

/** What differences of a constant are taken of: weight codes, and the bits of plain f32. Other constants are small. */
export type Form = 'codes' | 'floats';

export function formOf(kind: number, slot: WeightSlot): Form | undefined {
  const named = wireKind(kind);
  if (named === 'codes' && slot.dtype === 'i8') return 'codes';
  return named === 'plain' && slot.dtype === 'f32' ? 'floats' : undefined;
}

/** The values in the bytes of a constant. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function valuesOf(form: Form, { payload, refinements }: ConstantBytes, slot: WeightSlot): Values {
  const count = sizeOf(slot.shape);
  if (form === 'floats') {
    if (payload.length !== 4 * count) throw damaged('plain data of a wrong size');
    return ordered(viewBytes('i32', payload) as Int32Array);
  }
  const codes = new Int8Array(count);
  decodeCodes(payload, refinements, codes);
  return codes;
}

/** How values become bytes again: empty for floats. */
export function codingFor(form: Form, { payload }: ConstantBytes, slot: WeightSlot): Uint8Array {
  return form === 'floats' ? new Uint8Array(0) : codingOf(payload, sizeOf(slot.shape));
}

/** The inverse of valuesOf. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function bytesFor(values: Values, coding: Uint8Array): Pick<CodedWeights, 'base' | 'planes'> {
  if (values instanceof Int8Array) return encodeCodesAs(coding, values);
  const bits = ordered(values);
  return { base: new Uint8Array(bits.buffer, bits.byteOffset, bits.byteLength), planes: [] };
}
