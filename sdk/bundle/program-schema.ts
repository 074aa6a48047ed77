import * as v from 'valibot';
import { byteLength, DTYPE_BYTES, type DType } from '../util/tensor.ts';
import { residentBytes } from '../wire/layout.ts';
import { isPanelSize } from '../wire/panels.ts';
import { type Program, type Slot, WEIGHT_ALIGN, type WeightLayout, type WeightSlot } from '../wire/program.ts';

/** The program of a manifest, checked so that an engine can trust every offset and size in it. */

const isNatural = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;

/**
 * One check each, since a program has thousands of numbers: a schema of several would become so hot that it is optimized, which takes
 * more memory than all else that loading a small program needs.
 */
export const natural = v.custom<number>(isNatural, 'not a whole number from 0 on');
const positive = v.custom<number>((n) => isNatural(n) && (n as number) > 0, 'not a whole number from 1 on');
/** What 32-bit WebAssembly can address. */
const memoryBytes = v.pipe(natural, v.maxValue(2 ** 32));
const dtype = v.picklist(Object.keys(DTYPE_BYTES) as DType[]);
const shape = v.custom<readonly number[]>((s) => Array.isArray(s) && s.every(isNatural), 'not a shape');

const slot = v.strictObject({ name: v.string(), dtype, shape, offset: natural });

const codeSlot = v.strictObject({
  ...slot.entries,
  scale: v.optional(v.pipe(v.number(), v.finite(), v.gtValue(0))),
});

const step = v.strictObject({ node: v.string(), kind: v.string(), macs: natural, bytes: natural, live: v.array(slot) });

const isWidth = (n: unknown): boolean => isNatural(n) && (n as number) >= 2 && (n as number) <= 8;
const width = v.custom<number>(isWidth, 'not a number of bits from 2 to 8');
const widths = v.custom<readonly number[]>(
  (list) => Array.isArray(list) && list.length > 0 && list.every((b, i) => isWidth(b) && (i === 0 || list[i - 1] < b)),
  'not ascending numbers of bits from 2 to 8',
);
const layouts = [
  v.strictObject({ kind: v.literal('plain') }),
  v.strictObject({
    kind: v.literal('panels'),
    rows: positive,
    cols: positive,
    bits: width,
    widths,
    bytes: natural,
    room: v.exactOptional(natural),
  }),
  v.strictObject({ kind: v.literal('log8'), base: v.pipe(v.number(), v.finite()) }),
  v.strictObject({ kind: v.literal('f16') }),
  v.strictObject({ kind: v.literal('narrow'), to: v.picklist(['i8', 'i16']) }),
  v.strictObject({ kind: v.literal('panelsF32'), rows: positive, cols: positive }),
  v.strictObject({ kind: v.literal('transposed'), rows: positive, cols: positive, multiple: positive }),
] as const;
const layoutByKind = new Map<unknown, v.GenericSchema<unknown, WeightLayout>>(
  layouts.map((l) => [l.entries.kind.literal, l]),
);
const noLayout = v.custom<WeightLayout>(() => false, 'not a layout of weights');
/** Found by its kind: a variant tries all of them for every constant of a program, which makes a megabyte of garbage for some hundreds. */
const layout = v.lazy((l): v.GenericSchema<unknown, WeightLayout> => {
  const kind = typeof l === 'object' && l !== null && 'kind' in l ? l.kind : undefined;
  return layoutByKind.get(kind) ?? noLayout;
});

const offset = v.custom<number>(
  (n) => isNatural(n) && (n as number) % WEIGHT_ALIGN === 0,
  `not a multiple of ${WEIGHT_ALIGN}`,
);

const weight = v.pipe(
  v.strictObject({
    name: v.string(),
    dtype,
    shape,
    offset,
    bytes: natural,
    layout,
  }),
  v.check((w) => w.layout.kind !== 'panels' || isPanelSize(w.layout), 'no codes take so many bytes in panels'),
  v.check((w) => w.bytes === residentBytes(w.layout, w.dtype, w.shape), 'bytes do not match dtype, shape and layout'),
);

const entries = {
  name: v.string(),
  inputs: v.array(codeSlot),
  outputs: v.array(codeSlot),
  steps: v.array(step),
  arenaBytes: memoryBytes,
  scratchBytes: memoryBytes,
  weights: v.array(weight),
  weightBytes: memoryBytes,
};

function insideArena(slots: readonly Slot[], arenaBytes: number): boolean {
  return slots.every((s) => s.offset + byteLength(s) <= arenaBytes);
}

function inAddressOrder(weights: readonly WeightSlot[], weightBytes: number): boolean {
  let end = 0;
  for (const w of weights) {
    if (w.offset < end) return false;
    end = w.offset + w.bytes;
  }
  return end <= weightBytes;
}

export const programSchema = v.pipe(
  v.strictObject(entries),
  v.check(
    (p) => insideArena([...p.inputs, ...p.outputs, ...p.steps.flatMap((s) => s.live)], p.arenaBytes),
    'a slot lies outside the arena',
  ),
  v.check((p) => inAddressOrder(p.weights, p.weightBytes), 'weights overlap or lie outside weightBytes'),
) satisfies v.GenericSchema<unknown, Program>;
