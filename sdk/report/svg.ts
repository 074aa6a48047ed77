import { html, type Markup, markup } from './html.ts';

/** Colours are the page's CSS variables, so a plot follows the page into dark mode. */
export type Colour = 'one' | 'two' | 'three' | 'four' | 'five' | 'pale' | 'soft';

export const WIDTH = 760;
export const fill = (c: Colour): Markup => markup(`var(--${c})`);

/** Coordinates with two decimals: shorter, and the same text on every machine. */
export const px = (v: number): Markup => markup(String(Math.round(v * 100) / 100));

/** Round values that cover [low, high] in about `count` steps of 1, 2 or 5 times a power of ten. */
export function niceTicks(low: number, high: number, count = 5): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  let unit = 1;
  while (unit > rough) unit /= 10;
  while (unit * 10 <= rough) unit *= 10;
  const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= rough * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil(high / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** 1, 2 and 5 times the powers of ten that enclose [low, high]; low must be positive. */
export function ratioTicks(low: number, high: number): number[] {
  const out: number[] = [];
  for (let power = Math.floor(Math.log10(low)); 10 ** power <= high * 10; power++) {
    for (const m of [1, 2, 5]) out.push(Number((m * 10 ** power).toPrecision(12)));
  }
  const first = out.findLastIndex((t) => t <= low);
  return out.slice(Math.max(0, first), out.findIndex((t) => t >= high) + 1);
}

export interface Axis {
  readonly title: string;
  readonly format: (value: number) => string;
  /** Values that must be on the axis besides the data. */
  readonly include?: readonly number[];
  /** Equal ratios are equally far apart; all values must be positive. */
  readonly logarithmic?: boolean;
}

export interface Scale {
  readonly ticks: readonly number[];
  readonly at: (value: number) => number;
}

export function scaleOf(values: readonly number[], axis: Axis, from: number, to: number): Scale {
  const all = [...values, ...(axis.include ?? [])].filter(Number.isFinite);
  let low = all.length > 0 ? Math.min(...all) : 0;
  let high = all.length > 0 ? Math.max(...all) : 1;
  if (low === high) {
    const pad = Math.abs(low) * 0.05 || 1;
    low -= pad;
    high += pad;
  }
  const ticks = axis.logarithmic ? ratioTicks(low, high) : niceTicks(low, high);
  const place = axis.logarithmic ? Math.log : (v: number): number => v;
  const [start, end] = [place(ticks[0]!), place(ticks[ticks.length - 1]!)];
  return { ticks, at: (v) => from + ((place(v) - start) / (end - start)) * (to - from) };
}

export function svg(height: number, label: string, content: readonly Markup[]): Markup {
  return html`<svg viewBox="0 0 ${px(WIDTH)} ${px(height)}" width="${px(WIDTH)}" height="${px(height)}" role="img" aria-label="${label}">
${content}</svg>`;
}

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly soft?: boolean;
}

export function text(
  x: number,
  y: number,
  content: string,
  { anchor = 'start', soft = false }: TextOptions = {},
): Markup {
  return html`<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}"${soft ? markup(' class="soft"') : ''}>${content}</text>\n`;
}

export function line(x1: number, y1: number, x2: number, y2: number, colour: string, more = ''): Markup {
  return html`<line x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}" stroke="${markup(`var(--${colour})`)}"${markup(more)}/>\n`;
}

export function rect(x: number, y: number, width: number, height: number, colour: Markup, tip: string): Markup {
  return html`<rect x="${px(x)}" y="${px(y)}" width="${px(Math.max(0, width))}" height="${px(height)}" fill="${colour}"><title>${tip}</title></rect>\n`;
}

export function legend(entries: readonly { name: string; colour: Colour }[], x: number, y: number): Markup[] {
  let at = x;
  return entries.map(({ name, colour }) => {
    const item = html`<rect x="${px(at)}" y="${px(y - 9)}" width="10" height="10" fill="${fill(colour)}"/>${text(at + 15, y, name)}`;
    at += 34 + 6.6 * name.length;
    return item;
  });
}
