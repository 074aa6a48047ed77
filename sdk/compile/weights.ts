import type { Graph, Packing } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { DTYPE_BYTES, sizeOf, type Tensor } from '../util/tensor.ts';
import { packWeight, residentBytes } from '../wire/layout.ts';
import { PANEL_ROWS, type PanelLayout } from '../wire/panels.ts';
import { WEIGHT_ALIGN, type WeightLayout, type WeightSlot } from '../wire/program.ts';
import { rowTileRoom } from '../wire/row-tiles.ts';
import { OVERREAD, type Written } from './lifetimes.ts';
import { align } from './memory.ts';

/** One constant of the program: where it lives, its logical data, and how it travels. */
export interface WeightItem {
  readonly slot: WeightSlot;
  readonly tensor: Tensor;
  readonly packing: Packing | undefined;
  /** Name of the graph value it is the data of. */
  readonly value: string;
}

/** Of a network's weights and activations as floats: where what is resident is below it, tiles of products with one row may take more for being faster. */
const RESIDENT_SHARE = 0.14;

/**
 * Bytes that are left of that share. Floats are counted as kernels hold them: rows of matrices in whole tiles and a bias each, activations that are held
 * as codes here, and all that a product reads and writes.
 */
function spareBytes(graph: Graph, written: readonly Written[], resident: number): number {
  const elements = (v: string): number => sizeOf(valueNamed(graph, v).type.shape);
  const weights = new Map<string, number>();
  let activations = 0;
  for (const { ctx } of written) {
    const read = new Set<string>();
    const product = ctx.operands.some((o) => o.kind === 'weight' && o.layout.kind === 'panels');
    for (const o of ctx.operands) {
      if (o.kind === 'weight' && o.layout.kind === 'panels') weights.set(o.value, floatsOf(o.layout));
      if (o.kind === 'value' && (product || /^i(8|16)$/.test(ctx.type(o.value).dtype))) read.add(o.value);
    }
    activations = Math.max(
      activations,
      [...read].reduce((sum, v) => sum + elements(v), 0),
    );
  }
  const floats = [...weights.values()].reduce((sum, n) => sum + n, activations);
  return Math.max(0, Math.floor(RESIDENT_SHARE * floats * DTYPE_BYTES.f32) - resident);
}

const floatsOf = ({ rows, cols }: PanelLayout): number => Math.ceil(rows / PANEL_ROWS) * PANEL_ROWS * cols + rows;

/** Slots with room for tiles in the form of sdk/wire/row-tiles.ts, those of the first weights first, as long as there are bytes for it. */
function withRoom(items: readonly WeightItem[], oneRow: ReadonlySet<string>, spare: number): WeightItem[] {
  let left = spare;
  return items.map((item) => {
    const { layout } = item.slot;
    if (layout.kind !== 'panels' || !oneRow.has(weightKey(item.value, layout)) || left < WEIGHT_ALIGN) return item;
    const wanted = rowTileRoom(layout, packWeight(layout, item.tensor));
    const room = Math.min(align(wanted), Math.floor(left / WEIGHT_ALIGN) * WEIGHT_ALIGN);
    left -= room;
    return room === 0
      ? item
      : { ...item, slot: { ...item.slot, bytes: layout.bytes + room, layout: { ...layout, room } } };
  });
}

/** Where constants lie. */
export interface WeightPlan {
  readonly items: readonly WeightItem[];
  readonly offsets: ReadonlyMap<string, number>;
  readonly bytes: number;
}

/** Of one resident form of a value. */
export const weightKey = (value: string, layout: WeightLayout): string => `${value}|${JSON.stringify(layout)}`;

/** Constants of fewer bytes are packed closely, larger ones aligned to vectors. */
const SMALL = 256;
const VECTOR = 16;

/** Constants in the order of their first use, each form once. `arenaBytes`: what activations take, where forms may take more for being faster. */
export function layOutWeights(graph: Graph, written: readonly Written[], arenaBytes: number | undefined): WeightPlan {
  const found = new Map<string, WeightItem>();
  const [oneRow, other] = [new Set<string>(), new Set<string>()];
  const names = new Set<string>();
  for (const { ctx } of written) {
    for (const o of ctx.operands) {
      if (o.kind !== 'weight') continue;
      const key = weightKey(o.value, o.layout);
      (o.oneRow ? oneRow : other).add(key);
      if (found.has(key)) continue;
      const value = valueNamed(graph, o.value);
      if (!value.data) throw new Error(`value '${o.value}' is used as a constant but has no data`);
      const bytes = residentBytes(o.layout, value.type.dtype, value.type.shape);
      const name = names.has(o.value) ? `${o.value}#${o.layout.kind}` : o.value;
      names.add(o.value);
      found.set(key, {
        slot: { name, ...value.type, offset: 0, bytes, layout: o.layout },
        tensor: value.data,
        packing: value.packing,
        value: o.value,
      });
    }
  }
  for (const key of other) oneRow.delete(key);
  const plain = placed([...found.values()]);
  const spare =
    oneRow.size === 0 || arenaBytes === undefined ? 0 : spareBytes(graph, written, plain.bytes + arenaBytes);
  const { items, bytes } = placed(withRoom(plain.items, oneRow, spare));
  return { items, offsets: new Map([...found.keys()].map((key, i) => [key, items[i]!.slot.offset])), bytes };
}

/** Items one after another, and the bytes of all. */
function placed(items: readonly WeightItem[]): Pick<WeightPlan, 'items' | 'bytes'> {
  let end = 0;
  const at = items.map((item): WeightItem => {
    const offset = align(end, item.slot.bytes < SMALL ? WEIGHT_ALIGN : VECTOR);
    end = offset + item.slot.bytes;
    return { ...item, slot: { ...item.slot, offset } };
  });
  return { items: at, bytes: align(end) + OVERREAD };
}
