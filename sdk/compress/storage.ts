import { type Graph, type Node, producersOf, valueNamed } from '../ir/graph.ts';
import { byteLength } from '../util/tensor.ts';
import { type Layer, lowered } from './layers.ts';

/** Values that share one quantization: they hold the same numbers, moved about or picked from. */
export interface Storage {
  readonly members: readonly string[];
  /** Layers with fixed scales that read a member. */
  readonly layers: readonly Layer[];
  /** Who computes with the codes of which member: whom their rounding reaches. */
  readonly uses: readonly { readonly value: string; readonly reader: Node }[];
  /** Whether all readers, not only layers, read codes; the float values are then never in memory. */
  readonly whole: boolean;
  /** Whether every channel may have parameters of its own. */
  readonly perChannel: boolean;
}

/** Kernel of every node by node name: what is made and used in one kernel does not pass through memory. */
export type KernelOf = ReadonlyMap<string, number>;

/** Values smaller than this share of the largest one in memory never set its peak: they stay as they are. */
const MIN_SHARE = 1 / 16;

/**
 * What is stored as integer codes: the inputs of `layers`, which have fixed scales, and what else large values are used for where all
 * uses can read codes.
 */
export function storagesOf(graph: Graph, layers: readonly Layer[], kernels: KernelOf): Storage[] {
  return new Classes(graph, layers, kernels).storages();
}

/** Whether a node only moves or picks numbers, so that it may as well move or pick codes. */
export function moves(graph: Graph, node: Node): boolean {
  const spec = lowered(graph, node);
  if (!spec) return false;
  if (spec.kind === 'pool') return spec.fn === 'max';
  if (spec.kind === 'resize') return spec.mode === 'nearest';
  return spec.kind === 'view' || spec.kind === 'strided' || spec.kind === 'concat' || spec.kind === 'pad';
}

/** Whether a node that moves codes also keeps every channel to itself. */
export function keepsChannels(node: Node): boolean {
  return node.op === 'Pool' || node.op === 'Resize';
}

class Classes {
  private readonly graph: Graph;
  private readonly kernels: KernelOf;
  private readonly producers: ReadonlyMap<string, Node>;
  private readonly readers = new Map<string, { node: Node; input: number }[]>();
  private readonly layerOf: ReadonlyMap<Node, Layer>;
  private readonly parent = new Map<string, string>();
  /** Values that may be stored as codes as far as their own uses go. */
  private readonly candidates: ReadonlySet<string>;

  constructor(graph: Graph, layers: readonly Layer[], kernels: KernelOf) {
    this.graph = graph;
    this.kernels = kernels;
    this.producers = producersOf(graph);
    this.layerOf = new Map(layers.map((l) => [l.node!, l]));
    for (const node of graph.nodes)
      node.inputs.forEach((v, input) => {
        if (v === '') return;
        const list = this.readers.get(v) ?? [];
        list.push({ node, input });
        this.readers.set(v, list);
      });
    const inMemory = [...this.producers.keys()].filter((v) => this.outside(v).length > 0);
    const bytes = (v: string): number => byteLength(valueNamed(graph, v).type);
    const least = MIN_SHARE * Math.max(0, ...inMemory.map(bytes));
    this.candidates = new Set(inMemory.filter((v) => bytes(v) >= least && this.mayBeCodes(v)));
  }

  storages(): Storage[] {
    const inputs = [...this.layerOf.values()].map((l) => l.input);
    const whole = this.wholeValues();
    for (const v of new Set([...whole, ...inputs])) this.parent.set(v, v);
    for (const v of whole) {
      const from = this.producers.get(v)!;
      if (!moves(this.graph, from)) continue;
      for (const s of from.inputs) if (whole.has(s)) this.parent.set(this.find(s), this.find(v));
    }
    const groups = new Map<string, string[]>();
    for (const v of this.parent.keys()) {
      const root = this.find(v);
      groups.set(root, [...(groups.get(root) ?? []), v]);
    }
    return [...groups.values()].map((members) => this.storage(members, whole.has(members[0]!)));
  }

  private storage(members: readonly string[], whole: boolean): Storage {
    const isMember = new Set(members);
    const passesOn = (node: Node): boolean => moves(this.graph, node) && isMember.has(node.outputs[0]!);
    const readers = members.flatMap((value) =>
      (whole ? this.outside(value) : (this.readers.get(value) ?? [])).map((r) => ({ ...r, value })),
    );
    const layers = readers.flatMap((r) => (r.input === 0 ? (this.layerOf.get(r.node) ?? []) : []));
    const uses = readers
      .filter((r) => (whole ? !passesOn(r.node) : r.input === 0 && this.layerOf.has(r.node)))
      .map(({ value, node: reader }) => ({ value, reader }));
    const kept = members.every((v) => {
      const from = this.producers.get(v);
      return !from || !moves(this.graph, from) || !from.inputs.some((s) => isMember.has(s)) || keepsChannels(from);
    });
    const perChannel = kept && layers.length > 0 && layers.every((l) => l.kind === 'depthwise');
    return { members, layers, uses, whole, perChannel };
  }

  /** Candidates without those that would be moved as floats because what they are moved to cannot be codes. */
  private wholeValues(): Set<string> {
    const out = new Set(this.candidates);
    for (let changed = true; changed; ) {
      changed = false;
      for (const v of out) {
        const stuck = this.outside(v).some(
          ({ node }) => moves(this.graph, node) && !decodes(this.graph, node) && !out.has(node.outputs[0]!),
        );
        if (stuck) {
          out.delete(v);
          changed = true;
        }
      }
    }
    return out;
  }

  private find(v: string): string {
    let r = v;
    for (let p = this.parent.get(r)!; p !== r; p = this.parent.get(r)!) r = p;
    return r;
  }

  /** Readers of a value that find it in memory. */
  private outside(v: string): { node: Node; input: number }[] {
    const made = this.kernels.get(this.producers.get(v)?.name ?? '');
    return (this.readers.get(v) ?? []).filter(({ node }) => made === undefined || this.kernels.get(node.name) !== made);
  }

  private mayBeCodes(v: string): boolean {
    const { type } = valueNamed(this.graph, v);
    if (type.dtype !== 'f32' || type.shape.length < 2 || this.graph.outputs.includes(v)) return false;
    return this.outside(v).every(({ node, input }) => {
      if (this.layerOf.has(node)) return input === 0;
      return moves(this.graph, node) || decodes(this.graph, node);
    });
  }
}

export const isConvolution = (l: Layer): boolean => l.kind === 'conv' || l.kind === 'depthwise';

/** Layers whose kernels may add and subtract four codes before they multiply: Winograd's algorithm (sdk/compile/emit/c/winograd-plan.ts). */
export function addsFour({ spec, window, matrices }: Layer): boolean {
  if (spec?.kind !== 'conv' || spec.groups !== 1 || window.some((n) => n !== 3)) return false;
  return (matrices[0]!.cols / 9) % 2 === 0 && [...spec.strides, ...spec.dilations].every((n) => n === 1);
}

/** Kernels that decode codes as they load them (sdk/compile does so for the same classes). */
function decodes(graph: Graph, node: Node): boolean {
  const spec = lowered(graph, node);
  if (spec?.kind === 'reduce') return !spec.axes.includes(valueNamed(graph, node.inputs[0]!).type.shape.length - 1);
  if (spec?.kind === 'layernorm') return spec.axis === valueNamed(graph, node.inputs[0]!).type.shape.length - 1;
  return spec?.kind === 'map' || spec?.kind === 'pool';
}
