import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Graph, GraphBuilder } from '../../../../../sdk/ir/graph.ts';
import type { OpCase, OpDef } from '../../../../../sdk/ir/op.ts';
import { OPS } from '../../../../../sdk/ir/ops/index.ts';
import { openOracle } from '../../../../../sdk/measure/oracle/ort.ts';
import { type ExportOptions, exportOnnx } from '../../../../../sdk/model/onnx/export/index.ts';
import type { Tensor } from '../../../../../sdk/util/tensor.ts';
import { relativeError } from '../../../../support/onnxruntime.ts';

/** Every case of every operator, written as ONNX in one file and run by onnxruntime, against the operator's own semantics. */
interface Placed {
  readonly label: string;
  readonly inputs: Record<string, Tensor>;
  readonly expected: Readonly<Record<string, Tensor>>;
}

/**
 * Not exact: other polynomials, other orders of summation. LSTMs that quantize inside are compared with a network that is a float one
 * but for its weights, whose distance is that of 8-bit activations; weights of attention are rounded to 15 bits here.
 */
const TOLERANCE = 2e-5;
const LOOSER: Readonly<Record<string, number>> = { QLstm: 0.02, QAttention: 3e-4 };

function place(b: GraphBuilder, op: OpDef, opCase: OpCase, id: string): Placed {
  const inputs: Record<string, Tensor> = {};
  const names = opCase.inputs.map((t, i) => {
    if (!t) return '';
    const name = `${id}.in${i}`;
    if (opCase.constants?.includes(i)) return b.constant(name, t);
    inputs[name] = t;
    return b.input(name, { dtype: t.dtype, shape: t.shape });
  });
  const expected = op.evaluate(opCase.inputs, opCase.attrs);
  const outputs = expected.map((_, i) => `${id}.out${i}`);
  b.node({ name: id, op: op.name, inputs: names, outputs, attrs: opCase.attrs }, expected);
  b.outputs.push(...outputs);
  return {
    label: `${op.name}, ${opCase.name}`,
    inputs,
    expected: Object.fromEntries(expected.map((t, i) => [outputs[i]!, t])),
  };
}

function everyCase(): { graph: Graph; placed: { op: string; p: Placed }[] } {
  const b = new GraphBuilder('cases');
  const placed = OPS.flatMap((op, i) =>
    (op.toOnnx ? (op.cases ?? []) : []).map((c, j) => ({ op: op.name, p: place(b, op, c, `o${i}c${j}`) })),
  );
  return { graph: b.build(), placed };
}

async function check(options: Partial<ExportOptions>): Promise<void> {
  const { graph, placed } = everyCase();
  const oracle = await openOracle('onnxruntime-web', exportOnnx(graph, { producerVersion: '1', ...options }).bytes);
  try {
    const got = await oracle.run(Object.assign({}, ...placed.map(({ p }) => p.inputs)));
    for (const { op, p } of placed) {
      for (const [name, t] of Object.entries(p.expected)) {
        const error = relativeError(got[name]!, t);
        assert.ok(error <= (LOOSER[op] ?? TOLERANCE), `${p.label}: ${error} from the reference`);
      }
    }
  } finally {
    await oracle.close();
  }
}

test('every operator that a compiled graph may hold has a form in ONNX', () => {
  assert.equal(
    OPS.filter((op) => op.lower && !op.toOnnx).map((op) => op.name),
    [],
  );
});

test('every case agrees with onnxruntime, weights dequantized', () => check({}));
test('every case agrees with onnxruntime, products of com.microsoft', () => check({ matmul: 'nbits' }));

test.run();
