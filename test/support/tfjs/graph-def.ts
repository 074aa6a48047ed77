import type { Tensor } from '../../../sdk/util/tensor.ts';

/** An attribute of a GraphDef node as JSON has it. */
export type AttrJson = Readonly<Record<string, unknown>>;

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Attributes by kind, as protocol buffers write them in JSON. */
export const int = (i: number): AttrJson => ({ i: String(i) });
export const float = (f: number): AttrJson => ({ f });
export const bool = (b: boolean): AttrJson => ({ b });
export const text = (s: string): AttrJson => ({ s: base64(s) });
export const texts = (...s: string[]): AttrJson => ({ list: { s: s.map(base64) } });
export const ints = (...i: number[]): AttrJson => ({ list: { i: i.map(String) } });
export const type = (name: string): AttrJson => ({ type: name });

const TYPES = { f32: 'DT_FLOAT', i32: 'DT_INT32', bool: 'DT_BOOL' } as const;

export type NodeLine = readonly [name: string, op: string, inputs: string, attrs?: Readonly<Record<string, AttrJson>>];

export interface GraphCase {
  readonly name: string;
  /** Shapes of the float inputs. */
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly weights: Readonly<Record<string, Tensor>>;
  readonly nodes: readonly NodeLine[];
  readonly outputs: readonly string[];
}

/** The topology and signature of a graph model. */
export function graphDef({ inputs, weights, nodes, outputs }: GraphCase): {
  readonly modelTopology: object;
  readonly signature: object;
} {
  const shape = (dims: readonly number[]): object => ({ dim: dims.map((d) => ({ size: String(d) })) });
  const node = [
    ...Object.entries(inputs).map(([name, dims]) => ({
      name,
      op: 'Placeholder',
      attr: { dtype: type('DT_FLOAT'), shape: { shape: shape(dims) } },
    })),
    ...Object.entries(weights).map(([name, t]) => {
      const dtype = TYPES[t.dtype as 'f32'];
      return {
        name,
        op: 'Const',
        attr: { dtype: type(dtype), value: { tensor: { dtype, tensorShape: shape(t.shape) } } },
      };
    }),
    ...nodes.map(([name, op, from, attr = {}]) => ({ name, op, input: from === '' ? [] : from.split(' '), attr })),
  ];
  const info = (name: string, dims?: readonly number[]): [string, object] => [
    name,
    { name: `${name}:0`, dtype: 'DT_FLOAT', ...(dims ? { tensorShape: shape(dims) } : {}) },
  ];
  return {
    modelTopology: { node, versions: { producer: 1087 } },
    signature: {
      inputs: Object.fromEntries(Object.entries(inputs).map(([name, dims]) => info(name, dims))),
      outputs: Object.fromEntries(outputs.map((name) => info(name))),
    },
  };
}
