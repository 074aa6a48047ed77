import { reshape, slice } from '../../lib/shape.ts';
import type { TfNode } from '../node.ts';

interface Cut {
  readonly axis: number;
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

/** Beyond the end of any axis. */
const BEYOND = 2 ** 31;

/** numpy's x[begin:end:stride, ...] with masks: bit i is about the i-th entry of the list. */
export function stridedSlice(n: TfNode): string {
  const [begin, end, strides] = [n.numbers(1, 'begin'), n.numbers(2, 'end'), n.numbers(3, 'strides')];
  const has = (mask: string, i: number): boolean => ((n.attrs.int(mask, 0) >> i) & 1) === 1;
  const rank = n.shape(0).length;
  const added = begin.filter((_, i) => has('new_axis_mask', i) && !has('ellipsis_mask', i)).length;
  const ellipsis = begin.findIndex((_, i) => has('ellipsis_mask', i));
  // An ellipsis stands for all axes that no other entry is about.
  const skipped = ellipsis < 0 ? 0 : rank - (begin.length - 1 - added);
  const cuts: Cut[] = [];
  /** Axes of the result: where they come from, or 'new'. */
  const axes: (number | 'new')[] = [];
  let axis = 0;
  begin.forEach((from, i) => {
    if (i === ellipsis) for (let k = 0; k < skipped; k++) axes.push(axis++);
    else if (has('new_axis_mask', i)) axes.push('new');
    else {
      const step = strides[i] ?? 1;
      if (axis >= rank || step === 0) n.e.reject(`slices [${begin.join()}] do not fit [${n.shape(0).join()}]`);
      const single = has('shrink_axis_mask', i);
      const start = has('begin_mask', i) && !single ? (step > 0 ? 0 : BEYOND) : from;
      const open = has('end_mask', i) ? (step > 0 ? BEYOND : -BEYOND) : end[i]!;
      // The element -1 ends where the axis does, not at 0.
      const stop = single ? (from === -1 ? BEYOND : from + 1) : open;
      cuts.push({ axis, start, end: stop, step: single ? 1 : step });
      if (!single) axes.push(axis);
      axis++;
    }
  });
  for (; axis < rank; axis++) axes.push(axis);
  const list = (key: keyof Cut): number[] => cuts.map((c) => c[key]);
  const y =
    cuts.length === 0 ? n.input(0) : slice(n.e, n.input(0), list('start'), list('end'), list('axis'), list('step'));
  const sizes = n.e.shape(y);
  return reshape(
    n.e,
    y,
    axes.map((a) => (a === 'new' ? 1 : sizes[a]!)),
  );
}
