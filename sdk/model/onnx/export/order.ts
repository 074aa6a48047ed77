import { TO_NCHW } from '../../../ir/ops/lib/window.ts';

/** Order of the axes of a tensor of rank 4: as the graph has them, or from NHWC to NCHW. Others have the first one only. */
export type Order = 'graph' | 'nchw';

/** A list of one value an axis of a tensor of rank 4, given in the graph's order. */
export function inOrder<T>(values: readonly T[], order: Order): T[] {
  return order === 'nchw' ? TO_NCHW.map((p) => values[p]!) : [...values];
}
