import { availableParallelism } from 'node:os';
import { measureFrontier } from '../../app/frontier.ts';
import * as report from '../../report/index.ts';
import { EigenError } from '../../util/errors.ts';
import { writeAtomic } from '../../util/files.ts';
import { type Answer, defineCommand, requiredFlag, valueFlag } from '../command.ts';
import { formatBytes, formatPercent } from '../format.ts';
import { frontierText } from '../frontier-text.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readBudget, readBytes, readCount, readMilliseconds, readShare, readText } from '../values.ts';

export const frontier = defineCommand({
  examples: [
    'eigenweights frontier model.onnx --target raspberry-pi-4b --calib calib.npz',
    'eigenweights frontier model.onnx --target host --calib calib.npz --points 12 --from 3x --to 20x -o frontier.html',
    'eigenweights frontier model.onnx --target raspberry-pi-5 --calib calib.npz --max-ram 1MB --resume points.json --json',
  ],
  args: [{ name: 'MODEL', help: 'an ONNX file, or the model.json of a TensorFlow.js model or its folder' }],
  flags: {
    target: requiredFlag('BOARD', 'board id or profile file', readText),
    calib: requiredFlag('FILE', '.npz with one array per model input, first axis = samples', readText),
    points: valueFlag('N', 'sizes to measure; 8 by default', readCount),
    from: valueFlag('SIZE', 'one end of the range, 4x or bytes; 4x by default', readBudget),
    to: valueFlag('SIZE', 'the other end; 16x by default', readBudget),
    'min-quality': valueFlag('SHARE', 'share of quality that is marked as required; 0.985 by default', readShare),
    'max-ram': valueFlag('SIZE', 'weights, activations and working memory of every point', readBytes),
    'max-resident': valueFlag('SIZE', 'weights in memory of every point', readBytes),
    'max-latency': valueFlag('TIME', "one run of every point, e.g. 50ms, by the board's cost model", readMilliseconds),
    out: valueFlag('FILE', 'also write a page with plots, .html', readOutput('.html'), 'o'),
    resume: valueFlag('FILE', 'keep points in this file as they are found, and go on from those in it', readText),
    threads: valueFlag('N', 'threads to work with; all cores by default', readCount),
    seed: valueFlag('N', 'seed of the choice of samples; 1 by default', readCount),
    ...MODEL_FLAGS,
  },
  next: 'eigenweights compress MODEL --target BOARD --budget SIZE --calib FILE -o OUT.ewb',
  async run({ args, flags }, context): Promise<Answer> {
    const resume = flags.resume === undefined || context.dryRun ? undefined : pathIn(context.cwd, flags.resume);
    if (resume !== undefined) context.leaves(`points found so far are kept in ${flags.resume}`);
    const reads = [args[0], flags.calib];
    const page = flags.out === undefined ? undefined : await outputIn(context, flags.out, reads);
    if (flags.resume !== undefined) await outputIn(context, flags.resume, reads);
    const found = await measureFrontier(
      { path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set },
      {
        target: flags.target,
        calibration: pathIn(context.cwd, flags.calib),
        points: flags.points ?? 8,
        from: flags.from ?? { factor: 4 },
        to: flags.to ?? { factor: 16 },
        ...(flags['min-quality'] ? { minQuality: flags['min-quality'] } : {}),
        ...(flags['max-ram'] ? { maxRamBytes: flags['max-ram'] } : {}),
        ...(flags['max-resident'] ? { residentBytes: flags['max-resident'] } : {}),
        ...(flags['max-latency'] ? { maxLatencyMs: flags['max-latency'] } : {}),
        ...(flags.seed ? { seed: flags.seed } : {}),
        ...(resume === undefined ? {} : { resume }),
        onPoint: (p) => context.note(`${formatBytes(p.wireBytes)} keeps ${formatPercent(p.quality, 2)}`),
      },
      {
        progress: context.progress,
        signal: context.signal,
        threads: flags.threads ?? availableParallelism(),
      },
    );
    if (page !== undefined && !context.dryRun) await writeAtomic(page, report.frontierPage(found));
    const verdict =
      found.missing > 0
        ? new EigenError('EW1004_INTERRUPTED', `interrupted: ${found.missing} sizes were not measured`, {
            hint: flags.resume === undefined ? 'with --resume FILE a run can go on where it stopped' : 'run it again',
          })
        : undefined;
    return { data: found, text: frontierText(found), ...(verdict ? { verdict } : {}) };
  },
});
