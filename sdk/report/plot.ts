import { html, type Markup, markup } from './html.ts';
import { type Axis, type Colour, fill, legend, line, px, type Scale, scaleOf, svg, text, WIDTH } from './svg.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low?: number;
  readonly high?: number;
  /** Shown beside the point. */
  readonly label?: string;
  /** Shown when the pointer rests on it; the values without it. */
  readonly tip?: string;
}

export interface Series {
  readonly name: string;
  readonly colour: Colour;
  readonly points: readonly Point[];
  /** Points only. */
  readonly scatter?: boolean;
}

/** A limit or goal, a dashed line across the plot. */
export interface Guide {
  readonly axis: 'x' | 'y';
  readonly value: number;
  readonly name: string;
}

const DASHED = ' stroke-dasharray="4 4"';

export interface LinePlot {
  readonly label: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly guides?: readonly Guide[];
  readonly height?: number;
}

/** Lines or points over two linear axes, with intervals, guides and a legend when there is more than one series. */
export function linePlot(plot: LinePlot): Markup {
  const height = plot.height ?? 300;
  const box = { left: 64, right: WIDTH - 24, top: 34, bottom: height - 44 };
  const points = plot.series.flatMap((s) => s.points);
  const guides = plot.guides ?? [];
  const guided = (axis: 'x' | 'y'): number[] => guides.filter((g) => g.axis === axis).map((g) => g.value);
  const x = scaleOf([...points.map((p) => p.x), ...guided('x')], plot.x, box.left, box.right);
  const y = scaleOf(
    [...points.flatMap((p) => [p.y, p.low ?? p.y, p.high ?? p.y]), ...guided('y')],
    plot.y,
    box.bottom,
    box.top,
  );
  const out = frame(plot, x, y, box);
  for (const g of guides) out.push(...guideMarks(g, x, y, box));
  for (const s of plot.series) out.push(...seriesMarks(s, plot, x, y));
  if (plot.series.length > 1) out.push(...legend(plot.series, box.left + 150, 14));
  return svg(height, plot.label, out);
}

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Grid, tick labels and titles. */
function frame(plot: LinePlot, x: Scale, y: Scale, box: Box): Markup[] {
  const out: Markup[] = [];
  for (const t of y.ticks) {
    out.push(line(box.left, y.at(t), box.right, y.at(t), 'grid'));
    out.push(text(box.left - 8, y.at(t) + 4, plot.y.format(t), { anchor: 'end', soft: true }));
  }
  for (const t of x.ticks) out.push(text(x.at(t), box.bottom + 18, plot.x.format(t), { anchor: 'middle', soft: true }));
  out.push(line(box.left, box.bottom, box.right, box.bottom, 'line'));
  out.push(text((box.left + box.right) / 2, box.bottom + 36, plot.x.title, { anchor: 'middle', soft: true }));
  out.push(text(box.left - 56, 14, plot.y.title, { soft: true }));
  return out;
}

function guideMarks(guide: Guide, x: Scale, y: Scale, box: Box): Markup[] {
  if (guide.axis === 'x') {
    const at = x.at(guide.value);
    return [line(at, box.top, at, box.bottom, 'soft', DASHED), text(at + 5, box.top + 10, guide.name, { soft: true })];
  }
  const at = y.at(guide.value);
  return [line(box.left, at, box.right, at, 'soft', DASHED), text(box.left + 6, at - 5, guide.name, { soft: true })];
}

function seriesMarks(s: Series, plot: LinePlot, x: Scale, y: Scale): Markup[] {
  const out: Markup[] = [];
  if (!s.scatter && s.points.length > 1) {
    const path = s.points.map((p) => `${px(x.at(p.x)).markup},${px(y.at(p.y)).markup}`).join(' ');
    out.push(html`<polyline points="${markup(path)}" fill="none" stroke="${fill(s.colour)}" stroke-width="2"/>\n`);
  }
  for (const p of s.points) {
    if (p.low !== undefined && p.high !== undefined) {
      out.push(line(x.at(p.x), y.at(p.low), x.at(p.x), y.at(p.high), s.colour, ' stroke-width="2"'));
    }
    const tip = p.tip ?? `${s.name}: ${plot.x.format(p.x)}, ${plot.y.format(p.y)}`;
    out.push(
      html`<circle cx="${px(x.at(p.x))}" cy="${px(y.at(p.y))}" r="4.5" fill="${fill(s.colour)}" stroke="var(--ground)" stroke-width="1.5"><title>${tip}</title></circle>\n`,
    );
    if (p.label) out.push(text(x.at(p.x) + 8, y.at(p.y) + 15, p.label));
  }
  return out;
}
