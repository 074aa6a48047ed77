import { buildCompressed, type CompressedBuild, doesNotFit } from '../../index.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, type Context, defineCommand, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { estimateText, layersText, reportText } from '../compression-text.ts';
import { formatBytes, formatPercent, formatSeconds } from '../format.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { pathIn, readBudget, readBytes, readCount, readShare, readText } from '../values.ts';

export const compress = defineCommand({
  name: 'compress',
  summary: 'Compress a model under a size budget, keep its quality, compile it for a board and pack it',
  examples: [
    'eigenweights compress model.onnx --target raspberry-pi-4b --calib calib.npz -o model.ewb',
    'eigenweights compress model.onnx --target jetson-orin-nano-8gb --budget 500kB --calib calib.npz --eval eval.npz --metric top1 -o model.ewb',
    'eigenweights compress model.onnx --target host --calib calib.npz -o model.ewb --dry-run',
  ],
  args: [{ name: 'MODEL', help: 'an ONNX file' }],
  flags: {
    target: requiredFlag('BOARD', 'board id or profile file', readText),
    calib: requiredFlag('FILE', '.npz with one array per model input, first axis = samples', readText),
    out: requiredFlag('FILE', 'the bundle to write, .ewb', readText, 'o'),
    budget: valueFlag('SIZE', 'weights on the wire: 8x (the default), or bytes such as 350kB', readBudget),
    'max-resident': valueFlag('SIZE', 'weights in memory, bytes; no limit by default', readBytes),
    'min-quality': valueFlag('SHARE', "share of the original's quality to keep; 0.985 by default", readShare),
    eval: valueFlag('FILE', '.npz like --calib, with labels or targets: judge with --metric on it', readText),
    metric: valueFlag('METRIC', 'top1, agreement (the default), sqnr, perplexity or the path of a module', readText),
    threads: valueFlag('N', 'threads to work with; all cores by default', readCount),
    seed: valueFlag('N', 'seed of the choice of samples; 1 by default', readCount),
    force: switchFlag('write the bundle even when budget or quality is not met'),
    ...MODEL_FLAGS,
  },
  next: 'eigenweights fit OUT.ewb --target BOARD',
  async run({ args, flags }, context): Promise<Answer> {
    const out = pathIn(context.cwd, flags.out);
    if (flags.metric && !flags.eval) {
      throw new EigenError('EW1001_USAGE', `compress: --metric ${flags.metric} needs --eval FILE`, {
        hint: 'give the data to evaluate on, or leave --metric out',
      });
    }
    context.leaves(`${flags.out} was not written`);
    const built = await buildCompressed(
      { path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set },
      {
        target: flags.target,
        calibration: pathIn(context.cwd, flags.calib),
        budget: flags.budget ?? { factor: 8 },
        minQuality: flags['min-quality'] ?? 0.985,
        cwd: context.cwd,
        force: flags.force,
        planOnly: context.dryRun,
        out,
        ...(flags['max-resident'] ? { residentBytes: flags['max-resident'] } : {}),
        ...(flags.eval ? { evaluation: pathIn(context.cwd, flags.eval), metric: flags.metric ?? 'agreement' } : {}),
        ...(flags.seed ? { seed: flags.seed } : {}),
        onEstimate: (e, bytes) => context.note(estimateText(e, bytes)),
      },
      { progress: context.progress, signal: context.signal, ...(flags.threads ? { threads: flags.threads } : {}) },
    );
    return answer(built, flags.out, context);
  },
});

function answer(built: CompressedBuild, out: string, context: Context): Answer {
  const { report } = built;
  if (!report)
    return {
      data: { estimate: built.estimate, wireBudgetBytes: built.wireBudgetBytes },
      text: estimateText(built.estimate, built.wireBudgetBytes),
    };
  const total = Object.values(built.timings).reduce((a, b) => a + b, 0);
  const parts = [
    reportText(report, built.evaluation),
    ...(context.verbose > 0 ? [layersText(report)] : []),
    `took ${formatSeconds(total)}: ${Object.entries(built.timings)
      .map(([stage, s]) => `${stage} ${formatSeconds(s)}`)
      .join(', ')}`,
    built.bundleBytes === undefined ? `${out} was not written` : `wrote ${out}, ${formatBytes(built.bundleBytes)}`,
  ];
  const verdict = verdictOf(built);
  return { data: built, text: parts.join('\n'), ...(verdict ? { verdict } : {}) };
}

/** Budget first: a plan that misses it says nothing about the quality at that size. */
function verdictOf({
  report,
  evaluation,
  minQuality,
  fit,
  weightWireBytes = 0,
  wireBudgetBytes,
}: CompressedBuild): EigenError | undefined {
  const { totals, budgetMet, smallestPassing, bestAtBudget, gate } = report!;
  const details = { smallestPassing: smallestPassing ?? null, bestAtBudget: bestAtBudget ?? null };
  const hint = possibleText(report!, minQuality, wireBudgetBytes);
  if (!budgetMet || weightWireBytes > wireBudgetBytes) {
    const wire = Math.max(totals.wireBytes, weightWireBytes);
    const limit = totals.residentBudgetBytes ?? Number.POSITIVE_INFINITY;
    const message =
      wire > wireBudgetBytes
        ? `the weights need ${formatBytes(wire)} on the wire, the budget is ${formatBytes(wireBudgetBytes)}`
        : `the weights need ${formatBytes(totals.residentBytes)} in memory, the limit is ${formatBytes(limit)}`;
    return new EigenError('EW4002_BUDGET_NOT_MET', message, { hint, details });
  }
  const quality = evaluation?.quality ?? gate.quality;
  if (quality >= minQuality) return fit && !fit.fits ? doesNotFit(fit) : undefined;
  const samples = evaluation ? `${evaluation.samples} evaluation samples` : `${gate.samples} held-out samples`;
  const message = `${formatPercent(quality, 2)} of the quality is kept on ${samples}, ${formatPercent(minQuality, 1)} was asked for`;
  return new EigenError('EW4001_QUALITY_NOT_MET', message, { hint, details });
}

/** What the user could ask for instead. */
function possibleText(
  { smallestPassing, bestAtBudget, frontier }: NonNullable<CompressedBuild['report']>,
  minQuality: number,
  wireBudgetBytes: number,
): string {
  const asked = formatPercent(minQuality, 1);
  const largest = Math.max(...frontier.map((p) => p.wireBytes));
  const smallest = smallestPassing
    ? `the smallest measured size that keeps ${asked} is ${formatBytes(smallestPassing.wireBytes)}`
    : `no measured size, up to ${formatBytes(largest)}, keeps ${asked}`;
  if (!bestAtBudget) return smallest;
  const kept = formatPercent(bestAtBudget.quality, 2);
  const best =
    bestAtBudget.wireBytes <= wireBudgetBytes
      ? `the best quality within the budget is ${kept}`
      : `the smallest plan, ${formatBytes(bestAtBudget.wireBytes)}, keeps ${kept}`;
  return `${smallest}; ${best}`;
}
