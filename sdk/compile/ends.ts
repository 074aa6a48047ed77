import type { Graph } from '../ir/graph.ts';
import { valueNamed } from '../ir/graph.ts';
import { byteLength } from '../util/tensor.ts';
import type { Written } from './lifetimes.ts';

/** An input or output that steps may read or write where the application has it. */
export interface End {
  /** Which of the inputs or outputs it is. */
  readonly slot: number;
  readonly value: string;
  /** In the arena, for runs in which it is not elsewhere. */
  readonly offset: number;
  readonly bytes: number;
}

export interface Ends {
  readonly input?: End | undefined;
  readonly output?: End | undefined;
}

/** The largest input whose memory only it has, and the largest output that no step reads. */
export function endsOf(
  graph: Graph,
  written: readonly Written[],
  alias: (v: string) => string,
  at: (v: string) => number,
): Ends {
  const [read, made] = [new Set<string>(), new Set<string>()];
  for (const { ctx } of written)
    for (const o of ctx.operands) if (o.kind === 'value') (o.write ? made : read).add(o.value);
  const owners = [...graph.inputs, ...graph.outputs].map(alias);
  const alone = (owner: string): boolean => owners.filter((o) => o === owner).length === 1;
  const largest = (values: readonly string[], fits: (owner: string) => boolean): End | undefined => {
    const ends = values.map((v, slot): End => {
      const owner = alias(v);
      return { slot, value: owner, offset: at(v), bytes: byteLength(valueNamed(graph, v).type) };
    });
    return ends
      .filter(({ value }) => alone(value) && fits(value))
      .reduce<End | undefined>((best, e) => (best && best.bytes >= e.bytes ? best : e), undefined);
  };
  return {
    input: largest(graph.inputs, (v) => read.has(v)),
    output: largest(graph.outputs, (v) => made.has(v) && !read.has(v)),
  };
}
