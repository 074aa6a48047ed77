import type { Tensor } from '../../util/tensor.ts';
import type { AttributeProto, NodeProto } from './onnx_pb.ts';
import { type ExternalReader, readTensor } from './tensor.ts';

const TYPE = { float: 1, int: 2, string: 3, tensor: 4, graph: 5, floats: 6, ints: 7, strings: 8 } as const;
type Kind = keyof typeof TYPE;

/** Typed access to a node's attributes; `fail` reports a wrong kind. */
export class Attributes {
  private readonly byName: Map<string, AttributeProto>;
  private readonly external: ExternalReader | undefined;
  private readonly fail: (reason: string) => never;

  constructor(node: NodeProto, external: ExternalReader | undefined, fail: (reason: string) => never) {
    this.byName = new Map(node.attribute.map((a) => [a.name, a]));
    this.external = external;
    this.fail = fail;
  }

  has(name: string): boolean {
    return this.byName.has(name);
  }

  private get(name: string, kind: Kind): AttributeProto | undefined {
    const a = this.byName.get(name);
    // Type 0 is written by exporters older than IR version 2, which leave the field out.
    if (a && a.type !== TYPE[kind] && a.type !== 0) this.fail(`attribute '${name}' is not of kind ${kind}`);
    return a;
  }

  int(name: string, fallback?: number): number {
    const a = this.get(name, 'int');
    if (a) return Number(a.i);
    return fallback ?? this.fail(`attribute '${name}' is missing`);
  }

  float(name: string, fallback?: number): number {
    const a = this.get(name, 'float');
    if (a) return a.f;
    return fallback ?? this.fail(`attribute '${name}' is missing`);
  }

  string(name: string, fallback?: string): string {
    const a = this.get(name, 'string');
    if (a) return new TextDecoder().decode(a.s);
    return fallback ?? this.fail(`attribute '${name}' is missing`);
  }

  ints(name: string): readonly number[] | undefined {
    return this.get(name, 'ints')?.ints.map(Number);
  }

  floats(name: string): readonly number[] | undefined {
    return this.get(name, 'floats')?.floats;
  }

  strings(name: string): readonly string[] | undefined {
    return this.get(name, 'strings')?.strings.map((s) => new TextDecoder().decode(s));
  }

  tensor(name: string): Tensor | undefined {
    const a = this.get(name, 'tensor');
    return a?.t ? readTensor(a.t, this.external) : undefined;
  }
}
