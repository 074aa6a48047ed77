import { constantOf, type Graph, type Node } from '../../sdk/ir/graph.ts';
import { type OnnxNodeSpec, onnxModel } from '../../sdk/testing/onnx-builder.ts';
import { type Tensor, tensor } from '../../sdk/util/tensor.ts';

/** The shapes of a decoder with pre-normalized blocks. */
export interface DecoderShape {
  readonly blocks: number;
  readonly heads: number;
  readonly width: number;
  /** Positions of its window: keys that a query sees, its own included. */
  readonly window: number;
}

const HIDDEN = -1e9;

/**
 * One step of a decoder as an ONNX file, from the graph of its whole window (lm_gpt_shakespeare): token `ids` and its `position` in, keys
 * and values of the `window` - 1 positions before it as `past.<block>.<key|value>` [1, heads, window - 1, size], the latest ones last;
 * out come `logits` and the same caches as `present.*`, one position on.
 */
export function stepModel(graph: Graph, shape: DecoderShape): Uint8Array<ArrayBuffer> {
  return new StepWriter(graph, shape).write();
}

class StepWriter {
  private readonly graph: Graph;
  private readonly shape: DecoderShape;
  private readonly nodes: OnnxNodeSpec[] = [];
  private readonly constants: Record<string, Tensor> = {};
  private readonly size: number;

  constructor(graph: Graph, shape: DecoderShape) {
    this.graph = graph;
    this.shape = shape;
    this.size = shape.width / shape.heads;
  }

  write(): Uint8Array<ArrayBuffer> {
    const { blocks, heads, window } = this.shape;
    const names = Array.from({ length: blocks }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
    const cache = (name: string) => ({ name, shape: [1, heads, window - 1, this.size] });
    let x = this.embedding();
    const mask = this.mask();
    for (let i = 0; i < blocks; i++) x = this.block(i, x, mask);
    this.op('Identity', [this.linear('/head/MatMul', this.norm('/lnf/Div', x))], 'logits');
    return onnxModel({
      name: 'step',
      inputs: [
        { name: 'ids', dtype: 'i64', shape: [1, 1] },
        { name: 'position', dtype: 'i64', shape: [1, 1] },
        ...names.map((n) => cache(`past.${n}`)),
      ],
      outputs: [{ name: 'logits' }, ...names.map((n) => cache(`present.${n}`))],
      nodes: this.nodes,
      initializers: this.constants,
    });
  }

  private op(op: string, inputs: readonly string[], output: string, attrs: OnnxNodeSpec['attrs'] = {}): string {
    this.nodes.push({ op, inputs, outputs: [output], attrs });
    return output;
  }

  private constant(name: string, data: Tensor): string {
    this.constants[name] = data;
    return name;
  }

  private list(name: string, values: readonly number[]): string {
    return this.constant(name, tensor('i64', [values.length], BigInt64Array.from(values, BigInt)));
  }

  private node(name: string): Node {
    const found = this.graph.nodes.find((n) => n.name === name);
    if (!found) throw new Error(`the decoder has no node ${name}`);
    return found;
  }

  private weight(node: Node, input: number): Tensor | undefined {
    return constantOf(this.graph, node.inputs[input] ?? '');
  }

  private embedding(): string {
    const tokens = this.constant('tokens', this.weight(this.node('/tok/Gather'), 0)!);
    const positions = this.constant('positions', this.weight(this.node('/Add'), 1)!);
    const [token, place] = [
      this.op('Gather', [tokens, 'ids'], 'token'),
      this.op('Gather', [positions, 'position'], 'place'),
    ];
    return this.op('Add', [token, place], 'x');
  }

  /** At position p there are p keys before the last one. */
  private mask(): string {
    const { window } = this.shape;
    const rows = Float32Array.from({ length: window * window }, (_, i) =>
      (i % window) + Math.floor(i / window) >= window - 1 ? 0 : HIDDEN,
    );
    const row = this.op('Gather', [this.constant('masks', tensor('f32', [window, window], rows)), 'position'], 'row');
    return this.op('Unsqueeze', [row, this.list('head axis', [1])], 'mask');
  }

  private norm(name: string, x: string): string {
    const node = this.node(name);
    const [scale, shift] = [1, 2].map((i) => this.constant(`${name}.${i}`, this.weight(node, i)!)) as [string, string];
    return this.op('LayerNormalization', [x, scale, shift], `${name}.y`, {
      axis: -1,
      epsilon: { float: node.attrs.epsilon as number },
    });
  }

  private linear(name: string, x: string): string {
    const node = this.node(name);
    const weights = this.weight(node, 1)!;
    const [rows, cols] = weights.shape as [number, number];
    const data = Float32Array.from({ length: rows * cols }, (_, i) =>
      Number(weights.data[(i % rows) * cols + Math.floor(i / rows)]!),
    );
    const y = this.op('MatMul', [x, this.constant(`${name}.w`, tensor('f32', [cols, rows], data))], `${name}.product`);
    const bias = this.weight(node, 2);
    return bias ? this.op('Add', [y, this.constant(`${name}.b`, bias)], `${name}.y`) : y;
  }

  private block(i: number, x: string, mask: string): string {
    const at = `/blocks.${i}`;
    const { heads, width } = this.shape;
    const parts = ['q', 'k', 'v'].map((p) => `${at}.${p}`);
    const qkv = this.linear(`${at}/qkv/MatMul`, this.norm(`${at}/ln1/Div`, x));
    this.nodes.push({
      op: 'Split',
      inputs: [qkv, this.list(`${at}.split`, [width, width, width])],
      outputs: parts,
      attrs: { axis: 2 },
    });
    const [q, k, v] = parts.map((p) => {
      const split = this.op('Reshape', [p, this.list(`${p}.shape`, [1, 1, heads, this.size])], `${p}.split`);
      return this.op('Transpose', [split], `${p}.heads`, { perm: [0, 2, 1, 3] });
    }) as [string, string, string];
    const keys = this.continued(`${i}.key`, k);
    const values = this.continued(`${i}.value`, v);
    const scores = this.op('MatMul', [q, this.op('Transpose', [keys], `${at}.kt`, { perm: [0, 1, 3, 2] })], `${at}.qk`);
    const factor = this.constant(`${at}.factor`, tensor('f32', [], Float32Array.of(1 / Math.sqrt(this.size))));
    const masked = this.op('Add', [this.op('Mul', [scores, factor], `${at}.scores`), mask], `${at}.masked`);
    const weights = this.op('Softmax', [masked], `${at}.weights`, { axis: -1 });
    const mixed = this.op('Transpose', [this.op('MatMul', [weights, values], `${at}.mixed`)], `${at}.rows`, {
      perm: [0, 2, 1, 3],
    });
    const flat = this.op('Reshape', [mixed, this.list(`${at}.flat`, [1, 1, width])], `${at}.attention`);
    const y = this.op('Add', [x, this.linear(`${at}/proj/MatMul`, flat)], `${at}.y`);
    const hidden = this.op('Relu', [this.linear(`${at}/fc/MatMul`, this.norm(`${at}/ln2/Div`, y))], `${at}.hidden`);
    return this.op('Add', [y, this.linear(`${at}/out/MatMul`, hidden)], `${at}.z`);
  }

  /** All keys or values, the new ones last; without the oldest they are the next step's past. */
  private continued(name: string, latest: string): string {
    const { window } = this.shape;
    const all = this.op('Concat', [`past.${name}`, latest], `all.${name}`, { axis: 2 });
    const [from, to, axis] = [[1], [window], [2]].map((v, k) => this.list(`${name}.${['from', 'to', 'axis'][k]}`, v));
    this.op('Slice', [all, from!, to!, axis!], `present.${name}`);
    return all;
  }
}
