import { type Graph, GraphBuilder } from '../../sdk/ir/graph.ts';
import type { OpCase, OpDef } from '../../sdk/ir/op.ts';
import { OPS } from '../../sdk/ir/ops/index.ts';
import { isEigenError } from '../../sdk/util/errors.ts';
import type { Tensor } from '../../sdk/util/tensor.ts';

/** Every case of every operator in one graph, so that the kernel compiler runs once. */
export interface ConformanceGraph {
  readonly graph: Graph;
  readonly inputs: Record<string, Tensor>;
  readonly placed: readonly Placed[];
  /** Cases that a device never sees: integer arithmetic on shapes, NCHW images. The operator refuses them with a clear error. */
  readonly hostOnly: readonly { readonly name: string; readonly opCase: OpCase }[];
}

/** A case as a node of the graph, and what its operator says that it gives. */
export interface Placed {
  readonly op: OpDef;
  readonly opCase: OpCase;
  readonly inputs: Record<string, Tensor>;
  readonly outputs: string[];
  readonly expected: Tensor[];
}

export function conformanceGraph(): ConformanceGraph {
  const builder = new GraphBuilder('conformance');
  const placed: Placed[] = [];
  const hostOnly: { name: string; opCase: OpCase }[] = [];
  for (const op of OPS) {
    if (!op.lower) continue;
    (op.cases ?? []).forEach((c, i) => {
      if (runsOnDevices(op, c)) placed.push(place(builder, op, c, `${op.name}.${i}`));
      else hostOnly.push({ name: `${op.name}, ${c.name}`, opCase: c });
    });
  }
  const inputs = Object.assign({}, ...placed.map((p) => p.inputs)) as Record<string, Tensor>;
  return { graph: builder.build(), inputs, placed, hostOnly };
}

function place(builder: GraphBuilder, op: OpDef, opCase: OpCase, id: string): Placed {
  const inputs: Record<string, Tensor> = {};
  const names = opCase.inputs.map((t, i) => {
    if (!t) return '';
    const name = `${id}.in${i}`;
    if (opCase.constants?.includes(i)) return builder.constant(name, t);
    inputs[name] = t;
    return builder.input(name, { dtype: t.dtype, shape: t.shape });
  });
  const expected = op.evaluate(opCase.inputs, opCase.attrs);
  const outputs = expected.map((_, i) => `${id}.out${i}`);
  builder.node(
    { name: id, op: op.name, inputs: names, outputs, attrs: opCase.attrs },
    expected.map((t) => ({ dtype: t.dtype, shape: t.shape })),
  );
  builder.outputs.push(...outputs);
  return { op, opCase, inputs, outputs, expected };
}

function runsOnDevices(op: OpDef, c: OpCase): boolean {
  const outputs = op.infer(c.inputs, c.attrs);
  try {
    op.lower!(c.inputs, c.attrs, outputs);
    return true;
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW3102_OP_UNSUPPORTED') return false;
    throw e;
  }
}
