import { invalidJson, isObject, type Json, type JsonObject, shown } from '../json.ts';

/** Attributes of a GraphDef node as JSON has them: `{ "strides": { "list": { "i": ["1", "2", "2", "1"] } } }`. */
export class NodeAttributes {
  private readonly attrs: JsonObject;
  private readonly node: string;

  constructor(attrs: JsonObject, node: string) {
    this.attrs = attrs;
    this.node = node;
  }

  has(name: string): boolean {
    return isObject(this.attrs[name]);
  }

  int(name: string, fallback?: number): number {
    const v = this.field(name, 'i');
    if (v === undefined) return fallback ?? this.missing(name);
    return this.whole(name, v);
  }

  float(name: string, fallback?: number): number {
    const v = this.field(name, 'f');
    if (v === undefined) return fallback ?? this.missing(name);
    const value = Number(v);
    return Number.isFinite(value) ? value : this.wrong(name, v);
  }

  /** False where it is absent, as protocol buffers leave out what is false. */
  bool(name: string): boolean {
    return this.field(name, 'b') === true;
  }

  string(name: string, fallback?: string): string {
    const v = this.field(name, 's');
    if (v === undefined) return fallback ?? this.missing(name);
    return this.text(name, v);
  }

  ints(name: string): number[] | undefined {
    return this.list(name, 'i')?.map((v) => this.whole(name, v));
  }

  strings(name: string): string[] | undefined {
    return this.list(name, 's')?.map((v) => this.text(name, v));
  }

  /** An element type as TensorFlow writes it: DT_FLOAT. */
  type(name: string): string | undefined {
    const v = this.field(name, 'type');
    if (typeof v === 'number') return NUMBERED[v] ?? `type ${v}`;
    return v === undefined || typeof v === 'string' ? v : this.wrong(name, v);
  }

  shape(name: string): Json | undefined {
    return this.field(name, 'shape');
  }

  private field(name: string, kind: string): Json | undefined {
    const attr = Object.hasOwn(this.attrs, name) ? this.attrs[name] : undefined;
    return isObject(attr) ? (attr[kind] ?? undefined) : undefined;
  }

  private list(name: string, kind: string): readonly Json[] | undefined {
    const list = this.field(name, 'list');
    if (list === undefined) return undefined;
    const values = isObject(list) ? (list[kind] ?? []) : this.wrong(name, list);
    return Array.isArray(values) ? values : this.wrong(name, values);
  }

  private whole(name: string, v: Json): number {
    const value = typeof v === 'string' && v !== '' ? Number(v) : v;
    return Number.isSafeInteger(value) ? (value as number) : this.wrong(name, v);
  }

  /** Base64, or a list of bytes. */
  private text(name: string, v: Json): string {
    if (typeof v === 'string') return Buffer.from(v, 'base64').toString('latin1');
    return Array.isArray(v) ? String.fromCharCode(...v.map(Number)) : this.wrong(name, v);
  }

  private missing(name: string): never {
    throw invalidJson(`node '${this.node}' has no attribute '${name}'`);
  }

  private wrong(name: string, v: Json): never {
    throw invalidJson(`attribute '${name}' of node '${this.node}' is ${shown(v)}`);
  }
}

/** Element types by their number in tensorflow/core/framework/types.proto. */
const NUMBERED: Readonly<Record<number, string>> = {
  1: 'DT_FLOAT',
  2: 'DT_DOUBLE',
  3: 'DT_INT32',
  4: 'DT_UINT8',
  5: 'DT_INT16',
  6: 'DT_INT8',
  7: 'DT_STRING',
  9: 'DT_INT64',
  10: 'DT_BOOL',
  19: 'DT_HALF',
};
