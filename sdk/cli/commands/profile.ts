import { profileBundle } from '../../app/profile-bundle.ts';
import { ENGINES } from '../../app/session.ts';
import type { BundleProfile, ProfileRow } from '../../index.ts';
import * as report from '../../report/index.ts';
import { writeAtomic } from '../../util/files.ts';
import { type Answer, defineCommand, valueFlag } from '../command.ts';
import { formatBytes, formatPercent, formatSeconds, table } from '../format.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readChoice, readCount, readText } from '../values.ts';

/** Characters of the list of fused nodes that are shown without -v. */
const SHORT = 48;

export const profile = defineCommand({
  examples: [
    'eigenweights profile model.ewb',
    'eigenweights profile model.ewb --threads 2 --html profile.html',
    'eigenweights profile model.ewb --engine simd128 --runs 200 --json',
  ],
  args: [{ name: 'BUNDLE', help: 'a .ewb file' }],
  flags: {
    input: valueFlag('FILE', '.npz whose first sample is used; the golden inputs of the bundle by default', readText),
    engine: valueFlag(
      'ENGINE',
      `${ENGINES.join(', ')}; the fastest kernels that are right here by default`,
      readChoice(ENGINES),
    ),
    threads: valueFlag('N', 'threads; 1 by default', readCount),
    runs: valueFlag('N', 'runs to take the medians of; as many as fit into two seconds by default', readCount),
    html: valueFlag('FILE', 'also write a page with bars and the roofline plot, .html', readOutput('.html')),
  },
  async run({ args, flags }, context): Promise<Answer> {
    const page = flags.html === undefined ? undefined : await outputIn(context, flags.html, [args[0], flags.input]);
    const found = await profileBundle(
      {
        bundle: pathIn(context.cwd, args[0]!),
        ...(flags.input === undefined ? {} : { input: pathIn(context.cwd, flags.input) }),
        ...(flags.engine ? { engine: flags.engine } : {}),
        ...(flags.threads ? { threads: flags.threads } : {}),
        ...(flags.runs ? { runs: flags.runs } : {}),
      },
      { progress: context.progress, signal: context.signal },
    );
    if (page !== undefined && !context.dryRun) await writeAtomic(page, report.profilePage(found));
    return { data: found, text: textOf(found, context.verbose > 0) };
  },
});

function textOf(p: BundleProfile, whole: boolean): string {
  const titles = ['layer', 'kind', 'time', 'share', 'MMAC', 'moved', 'GMAC/s', 'GB/s', 'of roof', '', 'with'];
  const cells = p.rows.map((r) => [
    r.node,
    r.kind,
    formatSeconds(r.seconds.median),
    formatPercent(r.share),
    r.macs === 0 ? '' : (r.macs / 1e6).toPrecision(3),
    formatBytes(r.bytes),
    r.macs === 0 ? '' : r.GMACps.toPrecision(3),
    r.GBps.toPrecision(3),
    r.ofRoof === null ? '' : formatPercent(r.ofRoof, 0),
    r.bound ?? '',
    fusedText(r, whole),
  ]);
  const sum = p.rows.reduce((s, r) => s + r.seconds.median, 0);
  const macs = p.rows.reduce((s, r) => s + r.macs, 0);
  const lines = [
    `${p.model}: ${formatSeconds(p.whole.median)} a run, middle half ${formatSeconds(p.whole.low)} to ${formatSeconds(p.whole.high)}; ` +
      `${(macs / 1e6).toPrecision(3)} MMAC, ${(macs / p.whole.median / 1e9).toPrecision(3)} GMAC/s`,
    table([titles, ...cells], [2, 3, 4, 5, 6, 7, 8]),
    `measured: medians of ${p.runs} runs, ${p.engine}, ${p.threads} threads; layers sum to ${formatSeconds(sum)}; ` +
      `${p.machine.processor}, ${p.machine.cores} cores, Node ${p.machine.node}`,
  ];
  if (p.roof) {
    const [near, far] = [p.roof.copies[0]!, p.roof.copies.at(-1)!];
    lines.push(
      `roof (${p.roofOrigin}): ${p.roof.integerGMACps.toPrecision(3)} GMAC/s in integers, ${p.roof.floatGMACps.toPrecision(3)} in floats; ` +
        `copies ${near.GBps.toPrecision(3)} GB/s in cache, ${far.GBps.toPrecision(3)} in memory`,
    );
  }
  return lines.join('\n');
}

function fusedText(r: ProfileRow, whole: boolean): string {
  const text = r.fused.join(', ');
  return whole || text.length <= SHORT ? text : `${text.slice(0, SHORT)}... (${r.fused.length}, -v: all)`;
}
