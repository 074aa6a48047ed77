import { benchBundle } from '../../app/bench-bundle.ts';
import { ENGINES } from '../../app/session.ts';
import type { BenchReport } from '../../index.ts';
import { type Answer, defineCommand, requiredFlag, valueFlag } from '../command.ts';
import { formatRatio, formatSeconds, table } from '../format.ts';
import { pathIn, readChoice, readCount, readText } from '../values.ts';

export const bench = defineCommand({
  examples: [
    'eigenweights bench model.ewb --against model.onnx',
    'eigenweights bench model.ewb --against model.onnx --input in.npz --threads 2 --json',
  ],
  args: [{ name: 'BUNDLE', help: 'a .ewb file' }],
  flags: {
    against: requiredFlag(
      'MODEL',
      'the model that the bundle was made from: an ONNX file, or the model.json of TensorFlow.js or its folder',
      readText,
    ),
    input: valueFlag('FILE', '.npz whose first sample is used; the golden inputs of the bundle by default', readText),
    engine: valueFlag(
      'ENGINE',
      `${ENGINES.join(', ')}; the fastest kernels that are right here by default`,
      readChoice(ENGINES),
    ),
    threads: valueFlag('N', 'threads of every contestant; 1 by default', readCount),
    rounds: valueFlag('N', 'rounds; 15 by default', readCount),
  },
  async run({ args, flags }, context): Promise<Answer> {
    const report = await benchBundle(
      {
        bundle: pathIn(context.cwd, args[0]!),
        model: pathIn(context.cwd, flags.against),
        ...(flags.input === undefined ? {} : { input: pathIn(context.cwd, flags.input) }),
        ...(flags.engine ? { engine: flags.engine } : {}),
        threads: flags.threads ?? 1,
        ...(flags.rounds === undefined ? {} : { rounds: flags.rounds }),
      },
      { progress: context.progress, signal: context.signal },
    );
    return { data: report, text: textOf(report) };
  },
});

function textOf(r: BenchReport): string {
  const ratios = Object.entries(r.speedups).map(([name, ratio]) => `${formatRatio(ratio)} the speed of ${name}`);
  const rows = r.timings.map((t) => [
    t.name,
    t.version,
    formatSeconds(t.median),
    `${formatSeconds(t.low)} to ${formatSeconds(t.high)}`,
    t.error === undefined ? '' : t.error.toExponential(1),
  ]);
  return [
    ratios.join(', ') || 'nothing to compare with',
    table([['', 'version', 'median', 'middle half of the rounds', 'largest difference'], ...rows], [2, 4]),
    `measured: ${r.timings[0]!.rounds} interleaved rounds, ${r.threads} threads; ${r.machine.processor}, ${r.machine.cores} cores, Node ${r.machine.node}`,
    'largest difference: of an output from ours, relative to the largest magnitude of that output',
  ].join('\n');
}
