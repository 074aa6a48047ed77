import { barPlot, intervalPlot } from './chart.ts';
import { percent } from './compression-report.ts';
import { figureOf, html, type Markup, pageOf, tableOf } from './html.ts';
import { linePlot } from './plot.ts';
import type { Colour } from './svg.ts';

/** What a page of a rollout shows. */
export interface RolloutReport {
  readonly id: string;
  readonly phase: string;
  readonly wave: string;
  readonly reason?: string;
  /** What the wave in work waits for. */
  readonly waits?: string;
  readonly waves: readonly RolloutWave[];
  /** Metrics against the devices that were held back, at the last look. */
  readonly comparisons: readonly {
    readonly metric: string;
    readonly loss: number;
    readonly low: number;
    readonly high: number;
    readonly margin: number;
    readonly devices: { readonly treated: number; readonly control: number };
  }[];
  readonly failures: readonly {
    readonly device: string;
    readonly state: string;
    readonly code?: string;
    readonly reason?: string;
  }[];
  /** Devices in each state after everything that happened; times are milliseconds since 1970. */
  readonly timeline: readonly {
    readonly at: number;
    readonly committed: number;
    readonly failed: number;
    readonly reverted: number;
  }[];
}

export interface RolloutWave {
  readonly name: string;
  readonly devices: number;
  readonly committed: number;
  readonly failed: number;
  readonly stalled: number;
  readonly absent: number;
  readonly open: number;
  readonly skipped: number;
  readonly reverting: number;
  readonly reverted: number;
}

const STATES: readonly {
  readonly field: Exclude<keyof RolloutWave, 'name' | 'devices'>;
  name: string;
  colour: Colour;
}[] = [
  { field: 'committed', name: 'installed', colour: 'three' },
  { field: 'failed', name: 'failed', colour: 'two' },
  { field: 'stalled', name: 'stalled', colour: 'five' },
  { field: 'reverted', name: 'went back', colour: 'four' },
  { field: 'reverting', name: 'going back', colour: 'pale' },
  { field: 'open', name: 'to come', colour: 'one' },
  { field: 'absent', name: 'away', colour: 'soft' },
];

/** Waves, what became of their devices over time, metrics against the devices that were held back, and failures by name. */
export function rolloutPage(report: RolloutReport): string {
  const { id, phase, wave, reason, waits, comparisons, timeline, failures } = report;
  const working = phase === 'CANARY' || phase === 'WAVE' || phase === 'PAUSED';
  const said = [working ? `${phase}, ${wave}` : phase, reason ?? waits].filter((s) => s !== undefined).join(': ');
  const metrics =
    comparisons.length > 0 ? [{ title: 'Against devices held back', content: [metricsFigure(report)] }] : [];
  const failed = failures.length > 0 ? [{ title: 'Failures', content: [failureTable(report)] }] : [];
  return pageOf({
    title: `Rollout ${id}`,
    lead: `${said}.`,
    sections: [
      { title: 'Waves', content: [waveFigure(report), waveTable(report)] },
      ...(timeline.length > 1 ? [{ title: 'Over time', content: [timeFigure(report)] }] : []),
      ...metrics,
      ...failed,
    ],
  });
}

function waveFigure({ waves }: RolloutReport): Markup {
  return figureOf({
    title: 'Devices of every wave.',
    caption: 'Each device by what became of it; those without a bundle for their board are left out.',
    content: barPlot({
      label: 'Devices of every wave',
      value: { title: 'devices', format: (v) => String(v), include: [0] },
      rows: waves.map((w) => ({
        name: w.name,
        parts: STATES.map(({ field, name, colour }) => ({ name, colour, value: w[field] })),
        note: `${w.committed} of ${w.devices}`,
      })),
      legend: STATES.map(({ name, colour }) => ({ name, colour })),
    }),
  });
}

function waveTable({ waves }: RolloutReport): Markup {
  return tableOf(
    ['wave', 'devices', ...STATES.map((s) => s.name), 'no bundle'].map((title, i) => ({ title, numeric: i > 0 })),
    waves.map((w) => [w.name, w.devices, ...STATES.map(({ field }) => w[field]), w.skipped]),
  );
}

function timeFigure({ timeline }: RolloutReport): Markup {
  const from = timeline[0]!.at;
  const span = timeline.at(-1)!.at - from;
  const [unit, milliseconds] =
    span > 7_200_000 ? ['hours', 3_600_000] : span > 120_000 ? ['minutes', 60_000] : ['seconds', 1000];
  const series = (name: string, colour: Colour, field: 'committed' | 'failed' | 'reverted') => ({
    name,
    colour,
    points: timeline.map((t) => ({ x: (t.at - from) / (milliseconds as number), y: t[field] })),
  });
  return figureOf({
    title: 'What happened when.',
    caption: `Devices that run the new model, failed and went back, from ${new Date(from).toISOString()} on.`,
    content: linePlot({
      label: 'Devices over time',
      x: { title: unit as string, format: (v) => String(v) },
      y: { title: 'devices', format: (v) => String(v), include: [0] },
      series: [
        series('installed', 'three', 'committed'),
        series('failed', 'two', 'failed'),
        series('went back', 'four', 'reverted'),
      ],
      height: 260,
    }),
  });
}

function metricsFigure({ comparisons }: RolloutReport): Markup {
  const [first] = comparisons;
  return figureOf({
    title: 'How much worse each metric is with the new model.',
    caption:
      `Change on ${first!.devices.treated} devices that have it against ${first!.devices.control} that do not, in the interval that one look keeps; ` +
      'the mark is the margin. Left of it the metric passes, and it stops the rollout where the interval is right of 0.',
    content: intervalPlot({
      label: 'Loss of every metric',
      value: { title: 'worse by', format: (v) => percent(v, 2), include: [0] },
      rows: comparisons.map((c) => ({
        name: c.metric,
        value: c.loss,
        low: c.low,
        high: c.high,
        goal: c.margin,
        colour: c.high < c.margin ? 'three' : c.low > 0 ? 'two' : 'one',
      })),
    }),
  });
}

function failureTable({ failures }: RolloutReport): Markup {
  return tableOf(
    [{ title: 'device' }, { title: 'state' }, { title: 'code' }, { title: 'reason' }],
    failures.map(({ device, state, code, reason = '' }) => [
      device,
      state,
      code === undefined ? '' : html`<code>${code}</code>`,
      reason,
    ]),
  );
}
