import type { Importer } from './importer.ts';
import { invalidModel } from './tensor.ts';

/**
 * Makes values the outputs of the graph under names of their own. Throws EW3002 for a name that is taken or given twice, and for a value
 * that nothing computes.
 */
export function nameOutputs(importer: Importer, outputs: readonly (readonly [string, string | undefined])[]): void {
  const { builder } = importer;
  const seen = new Set<string>();
  for (const [name, value] of outputs) {
    if (value === undefined) throw invalidModel(`nothing computes output '${name}'`);
    if (seen.has(name)) throw invalidModel(`output '${name}' is listed twice`);
    seen.add(name);
    if (value !== name) aliasOutput(importer, name, value);
    builder.outputs.push(name);
  }
}

function aliasOutput({ builder }: Importer, name: string, value: string): void {
  const v = builder.values.get(value)!;
  if (builder.values.has(name)) throw invalidModel(`output '${name}' has the name of another value`);
  if (v.data) builder.setValue({ ...v, name });
  else builder.node({ name: `output ${name}`, op: 'Identity', inputs: [value], outputs: [name], attrs: {} }, [v.type]);
}
