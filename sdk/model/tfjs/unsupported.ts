import { EigenError } from '../../util/errors.ts';

/** A node or layer that cannot be translated. */
export interface Unsupported {
  readonly kind: string;
  readonly name: string;
}

/** Throws EW3102_OP_UNSUPPORTED that lists all of them; nothing where there are none. */
export function refuseUnsupported(what: 'operator' | 'layer', found: readonly Unsupported[]): void {
  const first = found[0];
  if (!first) return;
  const byKind = new Map<string, string[]>();
  for (const { kind, name } of found) byKind.set(kind, [...(byKind.get(kind) ?? []), name]);
  const list = [...byKind].map(([kind, names]) => {
    const shown = names.slice(0, 5).map((n) => `'${n}'`);
    return `${kind} (${names.length}: ${shown.join(', ')}${names.length > 5 ? ', ...' : ''})`;
  });
  throw new EigenError(
    'EW3102_OP_UNSUPPORTED',
    `${what} ${first.kind} of '${first.name}' is not supported; unsupported in this model: ${list.join('; ')}`,
    {
      hint:
        what === 'operator'
          ? 'Convert the model without these operators, for example without the post-processing that selects boxes, or add them in sdk/model/tfjs/graph/ops.'
          : 'Replace these layers in the model, convert it to a graph model, or add them in sdk/model/tfjs/layers.',
      details: { operators: [...byKind].map(([op, nodes]) => ({ op, count: nodes.length, nodes })) },
    },
  );
}
