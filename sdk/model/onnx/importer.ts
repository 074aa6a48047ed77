import type { OnnxNode } from '../../ir/frontend.ts';
import { type Attrs, GraphBuilder } from '../../ir/graph.ts';
import { ONNX_IMPORTERS, opOf } from '../../ir/ops/index.ts';
import { EigenError } from '../../util/errors.ts';
import { byteLength, formatType, sizeOf, type Tensor, type TensorType } from '../../util/tensor.ts';
import { Attributes } from './attributes.ts';
import type { GraphProto, NodeProto } from './onnx_pb.ts';
import { type ExternalReader, invalidModel, readTensor } from './tensor.ts';

/** More elements than any board has memory for: such a shape is a mistake in the file. */
const MAX_ELEMENTS = 2 ** 31;
/** Constants that grow beyond this when folded stay nodes. */
const MAX_FOLDED_BYTES = 2 ** 28;

/** Where ONNX names lead: the main graph, or a branch of an If inside it. */
export type Scope = Map<string, string>;

/** What messages call a node. */
export type DescribeNode = (node: NodeProto) => string;

/** Turns ONNX nodes into IR nodes on a builder. */
export class Importer {
  readonly builder: GraphBuilder;
  readonly opset: number;
  readonly external: ExternalReader | undefined;
  private readonly nodeNames = new Set<string>();
  private readonly describe: DescribeNode;

  constructor(name: string, opset: number, external: ExternalReader | undefined, describe?: DescribeNode) {
    this.builder = new GraphBuilder(name);
    this.opset = opset;
    this.external = external;
    this.describe = describe ?? ((node) => `${node.opType} ${labelOf(node)} (opset ${opset})`);
  }

  /** Imports the nodes of a graph whose initializers are in `scope` already; node order is made topological. */
  importNodes(graph: GraphProto, scope: Scope): void {
    for (const proto of inOrder(graph, scope)) this.importNode(proto, scope);
  }

  defineConstant(name: string, value: Tensor, scope: Scope): void {
    checkFinite(name, value);
    scope.set(name, this.builder.constant(name, value));
  }

  importNode(proto: NodeProto, scope: Scope): void {
    if (proto.opType === 'If') {
      this.importIf(proto, scope);
      return;
    }
    const importer = ONNX_IMPORTERS.get(operatorOf(proto));
    if (!importer) throw new Error(`${proto.opType} was not found by the support check`);
    const outputs = proto.output.map((o) => (o === '' ? '' : this.builder.fresh(o)));
    const node = this.view(proto, scope, outputs);
    try {
      importer(node);
    } catch (e) {
      throw contextual(e, node, this.describe(proto));
    }
    proto.output.forEach((o, i) => {
      if (o !== '' && this.builder.values.has(outputs[i]!)) scope.set(o, outputs[i]!);
    });
  }

  /** Takes the branch that the condition, known at import, names. */
  private importIf(proto: NodeProto, scope: Scope): void {
    const label = labelOf(proto);
    const condition = this.builder.values.get(scope.get(proto.input[0] ?? '') ?? '');
    const known = condition?.data;
    if (!known) {
      const cause = this.dynamicInputs(scope.get(proto.input[0] ?? '') ?? '');
      const named = cause.length > 0 ? `; it depends on input ${cause.map((c) => `'${c}'`).join(', ')}` : '';
      throw new EigenError(
        'EW3103_OP_INVALID',
        `If ${label}: the condition is not known when the model is read${named}`,
        {
          hint: `Fix the input that decides it: --set ${cause[0] ?? 'NAME'}=VALUE.`,
          details: { node: proto.name, inputs: cause },
        },
      );
    }
    const branch = proto.attribute.find(
      (a) => a.name === (Number(known.data[0]) !== 0 ? 'then_branch' : 'else_branch'),
    )?.g;
    if (!branch) throw invalidModel(`If ${label} has no branch to take`);
    const inner: Scope = new Map(scope);
    this.importInitializers(branch, inner);
    this.importNodes(branch, inner);
    if (branch.output.length !== proto.output.length)
      throw invalidModel(
        `If ${label}: its branch has ${branch.output.length} outputs, the node ${proto.output.length}`,
      );
    branch.output.forEach((o, i) => {
      const value = inner.get(o.name);
      if (value === undefined) throw invalidModel(`If ${label}: nothing computes '${o.name}'`);
      if (proto.output[i] !== '') scope.set(proto.output[i]!, value);
    });
  }

  importInitializers(graph: GraphProto, scope: Scope): void {
    if (graph.sparseInitializer.length > 0)
      throw invalidModel(
        `graph '${graph.name}' has sparse initializers, which are not supported`,
        'Export the weights dense.',
      );
    const seen = new Set<string>();
    for (const t of graph.initializer) {
      if (seen.has(t.name)) throw invalidModel(`two initializers are named '${t.name}'`);
      seen.add(t.name);
      this.defineConstant(t.name, readTensor(t, this.external), scope);
    }
  }

  /** Graph inputs that a value is computed from. */
  private dynamicInputs(value: string): string[] {
    const producers = new Map(this.builder.nodes.flatMap((n) => n.outputs.map((o) => [o, n] as const)));
    const seen = new Set<string>();
    const stack = [value];
    for (let v = stack.pop(); v !== undefined; v = stack.pop()) {
      if (seen.has(v)) continue;
      seen.add(v);
      stack.push(...(producers.get(v)?.inputs ?? []));
    }
    return this.builder.inputs.filter((i) => seen.has(i));
  }

  private view(proto: NodeProto, scope: Scope, outputs: readonly string[]): OnnxNode {
    const { builder, opset } = this;
    const reject = (reason: string): never => {
      throw new EigenError('EW3103_OP_INVALID', `${this.describe(proto)}: ${reason}`, {
        hint: 'Export the model with another operator or attribute here, or report the case.',
        details: { op: proto.opType, node: proto.name, opset },
      });
    };
    const inputs = proto.input.map((v) =>
      v === '' ? '' : (scope.get(v) ?? reject(`reads '${v}', which nothing computes`)),
    );
    const attributes = new Attributes(proto, this.external, reject);
    const type = (i: number): TensorType | undefined => (inputs[i] ? builder.values.get(inputs[i]!)?.type : undefined);
    const constant = (i: number): Tensor | undefined => (inputs[i] ? builder.values.get(inputs[i]!)?.data : undefined);
    return {
      name: proto.name,
      opType: proto.opType,
      opset,
      inputs,
      outputs,
      has: (name) => attributes.has(name),
      int: (name, fallback) => attributes.int(name, fallback),
      float: (name, fallback) => attributes.float(name, fallback),
      string: (name, fallback) => attributes.string(name, fallback),
      ints: (name, fallback) => attributes.ints(name) ?? fallback,
      floats: (name) => attributes.floats(name),
      strings: (name) => attributes.strings(name),
      tensor: (name) => attributes.tensor(name),
      type,
      constant,
      need: (i, what) =>
        constant(i) ??
        reject(
          `${what} (input ${i}${proto.input[i] ? `, '${proto.input[i]}'` : ''}) must be known when the model is read`,
        ),
      emit: (op, from, attrs, to) => this.emit(op, from, attrs, to, proto, outputs),
      constantValue: (data) => builder.constant(`${outputs[0] || proto.name || proto.opType}.const`, data),
      reject,
    };
  }

  private emit(
    op: string,
    inputs: readonly string[],
    attrs: Attrs,
    to: readonly string[] | undefined,
    proto: NodeProto,
    own: readonly string[],
  ): string[] {
    const { builder } = this;
    const def = opOf(op);
    const values = inputs.map((v) => (v === '' ? undefined : builder.values.get(v)));
    const types = def.infer(
      values.map((v) => v?.type),
      attrs,
    );
    for (const t of types)
      if (!(sizeOf(t.shape) <= MAX_ELEMENTS))
        throw invalidModel(`${this.describe(proto)} makes a tensor ${formatType(t)}, which is too large`);
    const stem = own.find((o) => o !== '') ?? (proto.name || proto.opType);
    const outputs = types.map((_, i) => {
      if (to === undefined) return builder.fresh(`${stem}.${op}`);
      return to[i] ?? '';
    });
    const known = inputs.every((v, i) => v === '' || values[i]?.data !== undefined);
    const bytes = types.reduce((a, t) => a + byteLength(t), 0);
    if (known && inputs.length > 0 && (bytes <= MAX_FOLDED_BYTES || op === 'Identity')) {
      const results = def.evaluate(
        values.map((v) => v?.data),
        attrs,
      );
      outputs.forEach((name, i) => {
        if (name !== '') builder.setValue({ name, type: types[i]!, data: { ...results[i]!, shape: types[i]!.shape } });
      });
      return outputs;
    }
    builder.node(
      { name: this.nodeName(proto.name || outputs.find((o) => o !== '') || op), op, inputs, outputs, attrs },
      types,
    );
    return outputs;
  }

  private nodeName(stem: string): string {
    let name = stem;
    for (let i = 1; this.nodeNames.has(name); i++) name = `${stem}.${i}`;
    this.nodeNames.add(name);
    return name;
  }
}

/** Names of the default domain. */
export const DOMAINS: readonly string[] = ['', 'ai.onnx'];

/** What an operator is registered under: its type, and its domain unless that is the default one. */
export function operatorOf({ domain, opType }: NodeProto): string {
  return DOMAINS.includes(domain) ? opType : `${domain}::${opType}`;
}

/** A node as messages call it: its name, or its first output where it has none. */
export function labelOf(proto: NodeProto): string {
  return proto.name !== '' ? `'${proto.name}'` : `computing '${proto.output[0] ?? ''}'`;
}

/** Says which node an error of an operator came from. */
function contextual(e: unknown, node: OnnxNode, description: string): unknown {
  if (!(e instanceof EigenError) || e.details.opset !== undefined || e.code !== 'EW3103_OP_INVALID') return e;
  return new EigenError(e.code, `${description}: ${e.message}`, {
    ...(e.hint ? { hint: e.hint } : {}),
    details: { ...e.details, node: node.name, opset: node.opset },
    cause: e,
  });
}

function checkFinite(name: string, t: Tensor): void {
  if (t.dtype !== 'f32') return;
  const data = t.data as Float32Array;
  for (let i = 0; i < data.length; i++) {
    // Infinities of either sign are how exporters write attention masks and open limits in single values; in weights they are faults.
    if (Number.isFinite(data[i]!) || (data.length === 1 && !Number.isNaN(data[i]!))) continue;
    throw new EigenError(
      'EW3004_WEIGHTS_NOT_FINITE',
      `tensor '${name}' holds ${data[i]} at index ${i} (of ${data.length})`,
      {
        hint: 'The training run diverged or the file is damaged: export a good checkpoint.',
        details: { tensor: name, index: i },
      },
    );
  }
}

/** Nodes so that every one comes after those it reads; throws EW3002 for cycles, missing and duplicate names. */
function inOrder(graph: GraphProto, scope: Scope): NodeProto[] {
  const producer = new Map<string, number>();
  graph.node.forEach((n, i) => {
    for (const o of n.output) {
      if (o === '') continue;
      if (producer.has(o) || scope.has(o))
        throw invalidModel(`value '${o}' is defined twice (again by ${n.opType} ${labelOf(n)})`);
      producer.set(o, i);
    }
  });
  const waiting = graph.node.map(() => 0);
  const readers = new Map<number, number[]>();
  graph.node.forEach((n, i) => {
    for (const v of new Set(reads(n))) {
      const from = producer.get(v);
      if (from === undefined) {
        if (v !== '' && !scope.has(v) && n.input.includes(v))
          throw invalidModel(`${n.opType} ${labelOf(n)} reads '${v}', which nothing computes`);
        continue;
      }
      waiting[i]!++;
      readers.set(from, [...(readers.get(from) ?? []), i]);
    }
  });
  const ready = waiting.flatMap((w, i) => (w === 0 ? [i] : []));
  const order: number[] = [];
  for (let at = 0; at < ready.length; at++) {
    const i = ready[at]!;
    order.push(i);
    for (const r of readers.get(i) ?? []) if (--waiting[r]! === 0) ready.push(r);
  }
  if (order.length !== graph.node.length) {
    const stuck = graph.node.filter((_, i) => waiting[i]! > 0).slice(0, 5);
    throw invalidModel(`nodes form a cycle: ${stuck.map((n) => `${n.opType} ${labelOf(n)}`).join(', ')}`);
  }
  return order.map((i) => graph.node[i]!);
}

/** Values a node reads, those that the branches of an If take from outside included. */
function reads(n: NodeProto): string[] {
  const out = [...n.input];
  for (const a of n.attribute) {
    if (!a.g) continue;
    const own = new Set([...a.g.initializer.map((t) => t.name), ...a.g.node.flatMap((m) => m.output)]);
    out.push(
      ...a.g.node.flatMap(reads).filter((v) => !own.has(v)),
      ...a.g.output.map((o) => o.name).filter((v) => !own.has(v)),
    );
  }
  return out;
}
