import { exportBundle } from '../../app/export.ts';
import type { ExportReport } from '../../index.ts';
import { MATMUL_FORMS, WEIGHT_FORMS } from '../../model/onnx/export/index.ts';
import { type Answer, defineCommand, requiredFlag, valueFlag } from '../command.ts';
import { formatBytes, formatPercent, table } from '../format.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readChoice } from '../values.ts';

export const exportCommand = defineCommand({
  examples: [
    'eigenweights export model.ewb -o model.onnx',
    'eigenweights export model.ewb --format onnx --matmul nbits -o model.onnx',
    'eigenweights export model.ewb --weights int8 -o model.onnx --json',
  ],
  args: [{ name: 'BUNDLE', help: 'a .ewb file' }],
  flags: {
    out: requiredFlag('FILE', 'the model to write, .onnx', readOutput('.onnx'), 'o'),
    format: valueFlag('FORMAT', 'onnx, the only one', readChoice(['onnx'])),
    weights: valueFlag(
      'FORM',
      'auto (default): int4 where all codes of a layer are in -8..7, else int8; int4: refuse layers that do not fit; int8',
      readChoice(WEIGHT_FORMS),
    ),
    matmul: valueFlag(
      'FORM',
      'qdq (default): DequantizeLinear and MatMul, standard operators; nbits: MatMulNBits and GatherBlockQuantized of com.microsoft, which stay packed in memory',
      readChoice(MATMUL_FORMS),
    ),
  },
  next: 'eigenweights inspect model.onnx',
  async run({ args, flags }, context): Promise<Answer> {
    const out = await outputIn(context, flags.out, [args[0]]);
    context.leaves(`${flags.out} was not written`);
    const { weights, matmul } = flags;
    const report = await exportBundle(pathIn(context.cwd, args[0]!), {
      ...(weights ? { weights } : {}),
      ...(matmul ? { matmul } : {}),
      ...(context.dryRun ? {} : { out }),
    });
    const done = context.dryRun ? 'would write' : 'wrote';
    const size = `${formatBytes(report.bytes)}, ${formatPercent(report.bytes / report.originalBytes)} of the original`;
    const text = table([...rowsOf(report), [done, `${flags.out}, ${size}`]]);
    return { data: { ...report, out: context.dryRun ? null : out }, text };
  },
});

function rowsOf(r: ExportReport): string[][] {
  const forms = Object.entries(r.forms).map(([op, counts]) => [
    `  ${op}`,
    Object.entries(counts)
      .map(([form, n]) => `${form} ${n}`)
      .join(', '),
  ]);
  const operators = Object.entries(r.operators).sort((a, b) => b[1] - a[1]);
  return [
    ['model', `${r.model}, ${r.precision}`],
    ['opset', [r.opset, ...r.domains].join(', ')],
    ...(forms.length > 0 ? [['forms', ''], ...forms] : []),
    ['operators', operators.map(([op, n]) => `${op} ${n}`).join(', ')],
    ['original', `${formatBytes(r.originalBytes)}, fp32 weights`],
  ];
}
