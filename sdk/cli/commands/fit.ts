import { fitPath } from '../../app/inspect.ts';
import { doesNotFit } from '../../compile/fit.ts';
import type { FitReport, LimitCheck, Sourced } from '../../index.ts';
import { type Answer, defineCommand, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { formatBytes, formatSeconds, table } from '../format.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { pathIn, readBytes, readChoice, readCount, readMilliseconds, readText } from '../values.ts';

const RUNTIMES = ['wasm', 'native', 'firmware'] as const;

export const fit = defineCommand({
  examples: [
    'eigenweights fit model.ewb --target raspberry-pi-4b',
    'eigenweights fit model.onnx --target coral-dev-board-micro --runtime firmware --max-latency 50ms',
  ],
  args: [{ name: 'FILE', help: 'a model (ONNX, TensorFlow.js) or a .ewb bundle' }],
  flags: {
    target: requiredFlag('BOARD', 'board id or profile file', readText),
    runtime: valueFlag(
      'RUNTIME',
      `${RUNTIMES.join(', ')}; the fastest that the bundle has kernels for by default`,
      readChoice(RUNTIMES),
    ),
    memory: valueFlag(
      'SIZE',
      'memory of your board, where it is sold with several sizes; the smallest by default',
      readBytes,
    ),
    threads: valueFlag('N', 'threads of a run; 1 by default', readCount),
    'max-latency': valueFlag('TIME', 'limit of one run, e.g. 50ms', readMilliseconds),
    layers: switchFlag('also print the estimated time of every step'),
    ...MODEL_FLAGS,
  },
  next: 'eigenweights compress MODEL --target BOARD --calib FILE -o OUT.ewb',
  async run({ args, flags }, context): Promise<Answer> {
    const { target, runtime, memory, threads, dim, set } = flags;
    const report = await fitPath({ path: pathIn(context.cwd, args[0]!), dims: dim, set }, target, {
      ...(runtime ? { runtime } : {}),
      ...(memory ? { memoryBytes: memory } : {}),
      ...(threads ? { threads } : {}),
      ...(flags['max-latency'] ? { maxLatencyMs: flags['max-latency'] } : {}),
    });
    const text = flags.layers ? `${textOf(report)}\n\n${layersOf(report)}` : textOf(report);
    return { data: report, text, ...(report.fits ? {} : { verdict: doesNotFit(report) }) };
  },
});

function textOf(r: FitReport): string {
  const { latency } = r;
  const rows = r.checks.map((c) => [
    c.ok ? 'ok' : 'NO',
    c.limit,
    amount(c, c.need.value),
    c.need.origin,
    c.have ? `of ${amount(c, c.have.value)} (${c.have.origin})` : 'no limit',
    c.at ? `most in ${c.at.layer}` : '',
  ]);
  if (!r.checks.some((c) => c.limit === 'latency'))
    rows.push(['', 'latency', formatSeconds(latency.ms.value / 1000), latency.ms.origin, 'no limit', '']);
  const constants = Object.entries(latency.constants) as [string, Sourced][];
  return [
    `${r.model} ${r.fits ? 'fits' : 'does not fit'} ${r.target} (${r.runtime}, ${latency.threads} threads)`,
    table(rows, [2]),
    table(
      [
        ['memory for', '', ''],
        ...r.ram.map((p) => [`  ${p.part}`, formatBytes(p.bytes.value), `${p.bytes.origin}: ${p.bytes.why}`]),
      ],
      [1],
    ),
    table(
      [
        ['latency from', '', ''],
        ...constants.map(([name, c]) => [`  ${name}`, c.value.toPrecision(3), `${c.origin}: ${c.why}`]),
      ],
      [1],
    ),
  ].join('\n');
}

function amount(c: LimitCheck, value: number): string {
  return c.limit === 'latency' ? formatSeconds(value / 1000) : formatBytes(value);
}

function layersOf(r: FitReport): string {
  const rows = r.latency.steps.map((s) => [s.node, s.kind, formatSeconds(s.ms / 1000), s.bound]);
  return table([['step', 'kind', 'time', 'bound by'], ...rows], [2]);
}
