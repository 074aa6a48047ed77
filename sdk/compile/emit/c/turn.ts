import { sizeOf } from '../../../util/tensor.ts';
import type { KernelContext } from './context.ts';

/**
 * Results of a product that are wanted as columns (`Group.turned`): a block of rows and channels at a time is collected in working memory, in the
 * first caches, and written turned round. They are never in memory as rows, so no thread reads what another has written.
 */
export interface Turn {
  /** The value whose rows are collected. */
  readonly value: string;
  /** C expression of the block, and floats of a row of it. */
  readonly block: string;
  readonly pitch: number;
  /** C text that comes before rows from `from` on of channels from `n` on, and behind rows [from, to) of so many `channels`; C expressions. */
  begin(from: string): string;
  end(from: string, to: string, channels: string): string;
}

/** For blocks of so many rows and channels at most; undefined where results are wanted as rows. */
export function turnOf(ctx: KernelContext, rows: number, channels: number): Turn | undefined {
  const l = ctx.group.turned;
  if (!l) return undefined;
  // A view in between may have other axes.
  const [x, y] = [ctx.owner(l.node.inputs[0]!), l.node.outputs[0]!];
  const columns = ctx.type(x).shape.at(-1)!;
  const all = sizeOf(ctx.type(x).shape) / columns;
  const pitch = Math.min(channels, columns);
  const block = `((float *)${ctx.scratch((rows * pitch + 16) * 4)})`;
  return {
    value: x,
    block,
    pitch,
    begin: (from) => `const i32 origin = ${from} * ${pitch} + n;`,
    end: (from, to, count) =>
      `ew_turn(${block}, ${ctx.write(y)} + n * ${all} + ${from}, ${to} - ${from}, ${count}, ${pitch}, ${all});`,
  };
}
