import { inspectPath } from '../../app/inspect.ts';
import type { BundleInspection, ModelInspection } from '../../index.ts';
import { defineCommand } from '../command.ts';
import { formatBytes, formatPercent, table } from '../format.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { pathIn } from '../values.ts';

const LARGEST = 10;

export const inspect = defineCommand({
  examples: [
    'eigenweights inspect model.onnx',
    'eigenweights inspect model.ewb -v',
    'eigenweights inspect model.onnx --json',
  ],
  args: [{ name: 'FILE', help: 'a model (ONNX, TensorFlow.js) or a .ewb bundle' }],
  flags: { ...MODEL_FLAGS },
  next: 'eigenweights fit FILE --target BOARD',
  async run({ args, flags }, context) {
    const found = await inspectPath({ path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set });
    return {
      data: found,
      text: found.kind === 'model' ? modelText(found, context.verbose) : bundleText(found, context.verbose),
    };
  },
});

type Named = ModelInspection['inputs'][number];

function ends({ inputs, outputs }: { inputs: readonly Named[]; outputs: readonly Named[] }): string[][] {
  const row = (kind: string) => (t: Named) => [kind, t.name, typeText(t)];
  return [...inputs.map(row('input')), ...outputs.map(row('output'))];
}

function typeText({ dtype, shape, scale }: Named): string {
  const type = `${dtype}[${shape.join(', ')}]`;
  return scale === undefined ? type : `${type}, codes of ${scale.toPrecision(6)}`;
}

function modelText(m: ModelInspection, verbose: number): string {
  const operators = Object.entries(m.operators)
    .sort((a, b) => b[1] - a[1])
    .map(([op, n]) => `${op} ${n}`)
    .join(', ');
  const shown = verbose > 0 ? m.weights : m.weights.slice(0, LARGEST);
  const rows = shown.map((w) => [`  ${w.name}`, `[${w.shape.join(', ')}]`, formatBytes(w.bytes)]);
  return [
    `${m.name}  ${m.parameters.toLocaleString('en')} parameters, ${formatBytes(m.weightBytes)} as fp32`,
    table(ends(m)),
    `operators, all supported: ${operators}`,
    table(
      [
        [shown.length < m.weights.length ? `largest of ${m.weights.length} weights (-v: all)` : 'weights', '', ''],
        ...rows,
      ],
      [2],
    ),
  ].join('\n');
}

function bundleText(b: BundleInspection, verbose: number): string {
  const { size } = b;
  const parts = size.parts.map((p) => [`  ${p.name}`, formatBytes(p.bytes), formatPercent(p.bytes / size.bytes)]);
  const weights = Object.entries(size.weights).map(([what, bytes]) => [`  ${what}`, formatBytes(bytes), '']);
  const text = [
    `${b.name}  for ${b.target}, ${b.precision}, by ${b.madeBy}, sha256 ${size.digest}`,
    table(ends(b)),
    table(
      [
        ['bundle', formatBytes(size.bytes), ''],
        ...parts,
        ['  archive headers', formatBytes(size.containerBytes), formatPercent(size.containerBytes / size.bytes)],
        ['weights on the wire', '', ''],
        ...weights,
        ['in memory', '', ''],
        ['  weights', formatBytes(size.residentWeightBytes), ''],
        ['  activations', formatBytes(size.arenaBytes), ''],
        ['  scratch, a thread', formatBytes(size.scratchBytes), ''],
      ],
      [1, 2],
    ),
  ];
  if (verbose > 0) {
    const steps = b.steps.map((s) => [s.node, s.kind, s.macs.toLocaleString('en'), formatBytes(s.bytes)]);
    text.push(table([['step', 'kind', 'multiply-adds', 'moved'], ...steps], [2, 3]));
  }
  return text.join('\n');
}
