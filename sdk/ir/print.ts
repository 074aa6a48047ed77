import { createHash } from 'node:crypto';
import { bytesOf, formatType, type Tensor } from '../util/tensor.ts';
import type { Attr, Attrs, Graph, Value } from './graph.ts';

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** sha256 of a tensor's type and bytes. */
export function tensorHash(t: Tensor): string {
  return createHash('sha256')
    .update(`${formatType(t)}\n`)
    .update(bytesOf(t.data))
    .digest('hex');
}

function printAttr(a: Attr): string {
  return JSON.stringify(a);
}

/** Attributes in the order of their names, so that the text does not depend on how a node was made. */
function printAttrs(attrs: Attrs): string {
  const keys = Object.keys(attrs).sort();
  return keys.length === 0 ? '' : ` {${keys.map((k) => `${k}: ${printAttr(attrs[k]!)}`).join(', ')}}`;
}

function printConstant(v: Value): string {
  const packing = v.packing ? ` ${v.packing.kind}${v.packing.kind === 'codes' ? v.packing.bits : ''}` : '';
  return `const ${v.name}: ${formatType(v.type)}${packing} = sha256:${tensorHash(v.data!)}`;
}

/**
 * The graph as text: inputs, constants (by content hash, in the order of their names), nodes in order, outputs. Equal graphs print
 * equally on every machine; the text is the canonical form that `graphHash` hashes.
 */
export function printGraph(graph: Graph): string {
  const type = (name: string): string => formatType(graph.values.get(name)!.type);
  const constants = [...graph.values.values()].filter((v) => v.data).sort((a, b) => (a.name < b.name ? -1 : 1));
  return [
    `graph ${graph.name}`,
    ...graph.inputs.map((n) => `input ${n}: ${type(n)}`),
    ...constants.map(printConstant),
    ...graph.nodes.map((n) => {
      const outs = n.outputs.map((o) => (o === '' ? '_' : `${o}: ${type(o)}`)).join(', ');
      return `${outs} = ${n.op}(${n.inputs.map((i) => i || '_').join(', ')})${printAttrs(n.attrs)} // ${n.name}`;
    }),
    ...graph.outputs.map((n) => `output ${n}: ${type(n)}`),
    '',
  ].join('\n');
}

/** Content hash of a graph: sha256 of its printed form, hexadecimal. */
export function graphHash(graph: Graph): string {
  return sha256(printGraph(graph));
}
