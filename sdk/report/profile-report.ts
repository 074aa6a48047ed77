import { barPlot } from './chart.ts';
import { kilobytes, percent } from './compression-report.ts';
import { figureOf, type Markup, pageOf, tableOf } from './html.ts';
import { linePlot, type Point, type Series } from './plot.ts';

/** What a profile page shows; the report of `profileBundle` has this shape. */
export interface ProfileSummary {
  readonly model: string;
  readonly engine: string;
  readonly threads: number;
  readonly runs: number;
  readonly rows: readonly ProfileLayer[];
  /** Seconds of a whole run. */
  readonly whole: { readonly median: number };
  readonly roof: {
    readonly integerGMACps: number;
    readonly floatGMACps: number;
    readonly copies: readonly { readonly bytes: number; readonly GBps: number }[];
  } | null;
  readonly machine: { readonly processor: string; readonly node: string };
}

export interface ProfileLayer {
  readonly node: string;
  readonly kind: string;
  readonly fused: readonly string[];
  readonly seconds: { readonly median: number; readonly low: number; readonly high: number };
  readonly share: number;
  readonly macs: number;
  readonly bytes: number;
  readonly GMACps: number;
  readonly GBps: number;
  readonly bound: 'compute' | 'memory' | null;
  readonly ofRoof: number | null;
}

/** Bars for so many layers; the rest stands in the table. */
const BARS = 40;

/** Where the time of a bundle goes, layer by layer, and how near each is to what the machine could do. */
export function profilePage(p: ProfileSummary): string {
  const roofline = p.roof ? [{ title: 'Against the machine', content: [rooflineFigure(p, p.roof)] }] : [];
  return pageOf({
    title: `${p.model}: where the time goes`,
    lead:
      `${micro(p.whole.median)} us a run, ${p.engine}, ${p.threads} threads, medians of ${p.runs} runs on ` +
      `${p.machine.processor}, Node ${p.machine.node}.`,
    sections: [
      { title: 'Time of every layer', content: [timeFigure(p)] },
      ...roofline,
      { title: 'All layers', content: [layerTable(p)] },
    ],
  });
}

const micro = (seconds: number): string => (seconds * 1e6).toPrecision(3);

function timeFigure({ rows }: ProfileSummary): Markup {
  const slowest = [...rows].sort((a, b) => b.seconds.median - a.seconds.median).slice(0, BARS);
  const shown = rows.filter((r) => slowest.includes(r));
  const kept = shown.length < rows.length ? ` The ${shown.length} slowest of ${rows.length}.` : '';
  return figureOf({
    title: 'Measured time and the least that the machine allows.',
    caption: `In the order of the program; the dark part is the time at the roof of the machine, the pale part is what is lost.${kept}`,
    content: barPlot({
      label: 'Time of every layer',
      value: { title: 'microseconds', format: (v) => v.toLocaleString('en', { maximumSignificantDigits: 3 }) },
      rowHeight: 20,
      labelWidth: 230,
      rows: shown.map((r) => {
        const time = r.seconds.median * 1e6;
        const least = time * Math.min(1, r.ofRoof ?? 0);
        return {
          name: short(r.node),
          parts: [
            { name: 'at the roof', value: least, colour: 'one' as const },
            { name: 'lost', value: time - least, colour: 'pale' as const },
          ],
          note: percent(r.share),
        };
      }),
    }),
  });
}

/** The end of a long name tells layers apart better than its beginning. */
const short = (name: string): string => (name.length <= 34 ? name : `...${name.slice(-31)}`);

function rooflineFigure({ rows }: ProfileSummary, roof: NonNullable<ProfileSummary['roof']>): Markup {
  const points = (integer: boolean): Point[] =>
    rows
      .filter((r) => r.macs > 0 && r.kind.startsWith('q') === integer)
      .map((r) => ({
        x: r.macs / r.bytes,
        y: r.GMACps,
        tip: `${r.node} (${r.kind}): ${(r.macs / r.bytes).toPrecision(3)} MAC a byte, ${r.GMACps.toPrecision(3)} GMAC/s, ${micro(r.seconds.median)} us`,
      }));
  const [integer, float] = [points(true), points(false)];
  const xs = [...integer, ...float].map((p) => p.x);
  if (xs.length === 0) xs.push(1);
  const [low, high] = [Math.min(...xs) / 2, Math.max(...xs) * 2];
  const line = (name: string, peak: number, GBps: number, colour: Series['colour']): Series => {
    const ridge = peak / GBps;
    const at = [low, ...(ridge > low && ridge < high ? [ridge] : []), high];
    const tip = `${name}: ${peak.toPrecision(3)} GMAC/s, ${GBps.toPrecision(3)} GB/s`;
    return { name, colour, points: at.map((x) => ({ x, y: Math.min(peak, x * GBps), tip })) };
  };
  const [near, far] = [roof.copies[0]!.GBps, roof.copies.at(-1)!.GBps];
  const series: Series[] = [];
  if (integer.length > 0) {
    series.push({ name: 'integers', colour: 'one', points: integer, scatter: true });
    series.push(line('integer roof', roof.integerGMACps, near, 'one'));
  }
  if (float.length > 0) {
    series.push({ name: 'floats', colour: 'two', points: float, scatter: true });
    series.push(line('float roof', roof.floatGMACps, near, 'two'));
  }
  series.push(line('from memory', integer.length > 0 ? roof.integerGMACps : roof.floatGMACps, far, 'soft'));
  return figureOf({
    title: 'Roofline.',
    caption:
      'A point a layer that multiplies: how much it computes for a byte it moves, and how fast it is. The lines are what this machine ' +
      'reached in a loop of nothing but multiplications, and in copying from cache or from memory. Both axes are logarithmic.',
    content: linePlot({
      label: 'Multiply-accumulates a byte against speed',
      x: { title: 'multiply-accumulates a byte moved', format: String, logarithmic: true },
      y: { title: 'GMAC/s', format: String, logarithmic: true },
      series,
      height: 380,
    }),
  });
}

function layerTable({ rows }: ProfileSummary): Markup {
  const numeric = ['time, us', 'middle half', 'share', 'MMAC', 'moved', 'GMAC/s', 'GB/s', 'of roof'];
  return tableOf(
    [
      { title: 'layer' },
      { title: 'kind' },
      ...numeric.map((title) => ({ title, numeric: true })),
      { title: 'bound by' },
      { title: 'with' },
    ],
    rows.map((r) => [
      r.node,
      r.kind,
      micro(r.seconds.median),
      `${micro(r.seconds.low)} to ${micro(r.seconds.high)}`,
      percent(r.share),
      r.macs === 0 ? '' : (r.macs / 1e6).toPrecision(3),
      kilobytes(r.bytes),
      r.macs === 0 ? '' : r.GMACps.toPrecision(3),
      r.GBps.toPrecision(3),
      r.ofRoof === null ? '' : percent(r.ofRoof, 0),
      r.bound ?? '',
      r.fused.join(', '),
    ]),
  );
}
