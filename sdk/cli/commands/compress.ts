import { availableParallelism } from 'node:os';
import { buildCompressed } from '../../app/build.ts';
import { doesNotFit } from '../../compile/fit.ts';
import type { CompressedBuild, InputRange, Limits, WireBudget } from '../../index.ts';
import * as report from '../../report/index.ts';
import { EigenError } from '../../util/errors.ts';
import { writeAtomic } from '../../util/files.ts';
import { type Answer, type Context, defineCommand, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { estimateText, layersText, reportText } from '../compression-text.ts';
import { formatBytes, formatPercent, formatSeconds } from '../format.ts';
import { KERNEL_FLAGS } from '../kernel-flags.ts';
import { kernelsText } from '../kernels-text.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { outputIn, readOutput } from '../outputs.ts';
import {
  pathIn,
  readBudget,
  readBytes,
  readCount,
  readMilliseconds,
  readRange,
  readShare,
  readText,
} from '../values.ts';

export const compress = defineCommand({
  examples: [
    'eigenweights compress model.onnx --target raspberry-pi-4b --calib calib.npz -o model.ewb',
    'eigenweights compress model.onnx --target jetson-orin-nano-8gb --budget 500kB --calib calib.npz --eval eval.npz --metric top1 -o model.ewb',
    'eigenweights compress model.onnx --target raspberry-pi-5 --min-quality 0.99 --max-ram 2MB --calib calib.npz -o model.ewb --report model.html',
    'eigenweights compress model.onnx --target host --calib calib.npz -o model.ewb --dry-run',
    'eigenweights compress model.onnx --target host --data-free 0,255 -o model.ewb',
  ],
  args: [{ name: 'MODEL', help: 'an ONNX file, or the model.json of a TensorFlow.js model or its folder' }],
  flags: {
    target: requiredFlag('BOARD', 'board id or profile file', readText),
    calib: valueFlag('FILE', '.npz with one array per model input, first axis = samples', readText),
    'data-free': valueFlag(
      'LOW,HIGH',
      'no calibration data: float inputs are between these (--data-free=-1,1); keeps less, and how much is unknown',
      readRange,
    ),
    out: requiredFlag('FILE', 'the bundle to write, .ewb', readOutput('.ewb'), 'o'),
    budget: valueFlag('SIZE', 'weights on the wire: 8x, or bytes such as 350kB; 8x by default', readBudget),
    'min-quality': valueFlag(
      'SHARE',
      "share of the original's quality to keep, 0.985 by default; without --budget the smallest size that keeps it is sought",
      readShare,
    ),
    'max-ram': valueFlag('SIZE', 'weights, activations and working memory of the compiled program', readBytes),
    'max-resident': valueFlag('SIZE', 'weights in memory', readBytes),
    'max-latency': valueFlag(
      'TIME',
      "one run in one thread, e.g. 50ms, by the board's cost model (timed where the board is host)",
      readMilliseconds,
    ),
    ...KERNEL_FLAGS,
    eval: valueFlag('FILE', '.npz like --calib, with labels or targets: judge with --metric on it', readText),
    metric: valueFlag('METRIC', 'top1, agreement (the default), sqnr, perplexity or the path of a module', readText),
    report: valueFlag('FILE', 'also write a page about the compression, .html', readOutput('.html')),
    threads: valueFlag('N', 'threads to work with; all cores by default', readCount),
    seed: valueFlag('N', 'seed of the choice of samples; 1 by default', readCount),
    force: switchFlag('write the bundle even when budget or quality is not met'),
    'int8-cache': switchFlag(
      'keys and values that an output continues an input with are int8 codes with a scale, which `eigenweights inspect` shows',
    ),
    ...MODEL_FLAGS,
  },
  next: 'eigenweights fit OUT.ewb --target BOARD',
  async run({ args, flags }, context): Promise<Answer> {
    if (flags.metric && !flags.eval) {
      throw new EigenError('EW1001_USAGE', `compress: --metric ${flags.metric} needs --eval FILE`, {
        hint: 'give the data to evaluate on, or leave --metric out',
      });
    }
    const reads = [args[0], flags.calib, flags.eval];
    const out = await outputIn(context, flags.out, reads);
    const page = flags.report === undefined ? undefined : await outputIn(context, flags.report, reads);
    context.leaves(`${flags.out} was not written`);
    const built = await buildCompressed(
      { path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set },
      {
        target: flags.target,
        calibration: calibrationOf(flags, context),
        cwd: context.cwd,
        force: flags.force,
        how: { tune: flags.tune, kernels: flags.kernels },
        codedCaches: flags['int8-cache'],
        planOnly: context.dryRun,
        out,
        ...limitsOf(flags),
        ...(flags.eval ? { evaluation: pathIn(context.cwd, flags.eval), metric: flags.metric ?? 'agreement' } : {}),
        ...(flags.seed ? { seed: flags.seed } : {}),
        onEstimate: (plan) => context.note(estimateText(plan)),
      },
      {
        progress: context.progress,
        signal: context.signal,
        toolchain: flags.toolchain,
        threads: flags.threads ?? availableParallelism(),
      },
    );
    if (built.report && page) await writeAtomic(page, report.compressionPage(flags.out, built.report));
    return answer(built, flags.out, context);
  },
});

interface LimitFlags {
  readonly budget: WireBudget | undefined;
  readonly 'min-quality': number | undefined;
  readonly 'max-ram': number | undefined;
  readonly 'max-resident': number | undefined;
  readonly 'max-latency': number | undefined;
}

function limitsOf(flags: LimitFlags): Limits {
  return {
    ...(flags.budget ? { budget: flags.budget } : {}),
    ...(flags['min-quality'] ? { minQuality: flags['min-quality'] } : {}),
    ...(flags['max-ram'] ? { maxRamBytes: flags['max-ram'] } : {}),
    ...(flags['max-resident'] ? { residentBytes: flags['max-resident'] } : {}),
    ...(flags['max-latency'] ? { maxLatencyMs: flags['max-latency'] } : {}),
  };
}

type Flags = { readonly calib?: string | undefined; readonly 'data-free'?: InputRange | undefined };

/** Real samples or the range of made-up ones: one of the two. */
function calibrationOf(flags: Flags, { cwd }: Context): string | InputRange {
  const { calib, 'data-free': range } = flags;
  if ((calib === undefined) === (range === undefined)) {
    throw new EigenError(
      'EW1001_USAGE',
      `compress: ${calib ? 'both --calib and --data-free were given' : '--calib FILE is missing'}`,
      {
        hint: 'give samples with --calib, or, when there are none, the range of the inputs with --data-free LOW,HIGH',
      },
    );
  }
  return calib === undefined ? range! : pathIn(cwd, calib);
}

const DATA_FREE_NOTE =
  'no calibration data: quality and agreement below are on made-up inputs and say little about real ones; all activations have 16 bits, which takes memory and time. ' +
  'A range that is not that of real inputs ruins the model and does not show below. Judge with --eval, or give --calib.';

function answer(built: CompressedBuild, out: string, context: Context): Answer {
  if (!built.report) return { data: built, text: estimateText(built) };
  const total = Object.values(built.timings).reduce((a, b) => a + b, 0);
  const parts = [
    ...(built.dataFree ? [DATA_FREE_NOTE] : []),
    reportText(built.report, built),
    ...(context.verbose > 0 ? [layersText(built.report)] : []),
    ...(built.native ? [`kernels: ${kernelsText(built.native)}`] : []),
    `took ${formatSeconds(total)}: ${Object.entries(built.timings)
      .map(([stage, s]) => `${stage} ${formatSeconds(s)}`)
      .join(', ')}`,
    built.bundleBytes === undefined ? `${out} was not written` : `wrote ${out}, ${formatBytes(built.bundleBytes)}`,
  ];
  const verdict = verdictOf(built);
  return { data: built, text: parts.join('\n'), ...(verdict ? { verdict } : {}) };
}

/** Limits first: a plan that misses one says nothing about the quality within it. */
function verdictOf(built: CompressedBuild): EigenError | undefined {
  const { evaluation, minQuality, fit } = built;
  const { smallestPassing, bestAtBudget, gate, binds } = built.report!;
  const details = { binds, smallestPassing: smallestPassing ?? null, bestAtBudget: bestAtBudget ?? null };
  const broken = brokenLimit(built);
  if (broken) return new EigenError('EW4002_BUDGET_NOT_MET', broken.message, { hint: broken.hint, details });
  const quality = evaluation?.quality ?? gate.quality;
  const unknown = built.dataFree && !evaluation;
  if (unknown || quality >= minQuality) return fit && !fit.fits ? doesNotFit(fit) : undefined;
  const samples = evaluation ? `${evaluation.samples} evaluation samples` : `${gate.samples} held-out samples`;
  const message = `${formatPercent(quality, 2)} of the quality is kept on ${samples}, ${formatPercent(minQuality, 1)} was asked for`;
  const hint = possibleText(built.report!, minQuality, built.wireBudgetBytes);
  return new EigenError('EW4001_QUALITY_NOT_MET', message, { hint, details });
}

/** The limit that is broken by how much, and the nearest plan there is. */
function brokenLimit(built: CompressedBuild): { message: string; hint: string } | undefined {
  const { totals, gate } = built.report!;
  const { latency, wireBudgetBytes, weightWireBytes = 0, minQuality } = built;
  const wire = Math.max(totals.wireBytes, weightWireBytes);
  if (wire > wireBudgetBytes) {
    const message = `the weights need ${formatBytes(wire)} on the wire, the budget is ${formatBytes(wireBudgetBytes)}`;
    return { message, hint: possibleText(built.report!, minQuality, wireBudgetBytes) };
  }
  const kept = formatPercent(gate.quality, 2);
  const nearest = (what: string, flag: string): string =>
    `the nearest plan found takes ${what} and keeps ${kept}: raise ${flag} to that${gate.quality < minQuality ? ', and further to keep more' : ''}`;
  const over = (value: number | null, limit: number | null): boolean => limit !== null && (value ?? 0) > limit;
  if (over(totals.residentBytes, totals.residentBudgetBytes)) {
    const message = `the weights need ${formatBytes(totals.residentBytes)} in memory, the limit is ${formatBytes(totals.residentBudgetBytes!)}`;
    return { message, hint: nearest(`${totals.residentBytes} B`, '--max-resident') };
  }
  if (over(totals.ramBytes, totals.maxRamBytes)) {
    const message = `weights, activations and working memory need ${formatBytes(totals.ramBytes!)}, --max-ram is ${formatBytes(totals.maxRamBytes!)}`;
    return { message, hint: nearest(`${totals.ramBytes} B`, '--max-ram') };
  }
  if (latency && over(latency.value, totals.maxLatencyMs)) {
    const time = formatSeconds(latency.value / 1000);
    const message = `one run takes ${time} (${latency.origin}), --max-latency is ${formatSeconds(totals.maxLatencyMs! / 1000)}`;
    return { message, hint: `${nearest(time, '--max-latency')}, use a smaller input or a faster board` };
  }
  return undefined;
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
    ? `the smallest measured size that keeps ${asked} with its whole interval is ${formatBytes(smallestPassing.wireBytes)}`
    : `no measured size, up to ${formatBytes(largest)}, keeps ${asked} with its whole interval`;
  if (!bestAtBudget) return smallest;
  const kept = formatPercent(bestAtBudget.quality, 2);
  const best =
    bestAtBudget.wireBytes <= wireBudgetBytes
      ? `the best quality within the budget is ${kept}`
      : `the smallest plan, ${formatBytes(bestAtBudget.wireBytes)}, keeps ${kept}`;
  return `${smallest}; ${best}`;
}
