import { html, type Markup } from './html.ts';
import { type Axis, type Colour, fill, legend, line, px, rect, type Scale, scaleOf, svg, text, WIDTH } from './svg.ts';

const LABEL_HEIGHT = 18;

interface Rows {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Grid and labels of a horizontal value axis under rows that end at `bottom`. */
function valueAxis(x: Scale, axis: Axis, box: Rows): Markup[] {
  const ticks = x.ticks.flatMap((t) => [
    line(x.at(t), box.top, x.at(t), box.bottom, 'grid'),
    text(x.at(t), box.bottom + LABEL_HEIGHT - 2, axis.format(t), { anchor: 'middle', soft: true }),
  ]);
  const middle = (box.left + box.right) / 2;
  return [...ticks, text(middle, box.bottom + 2 * LABEL_HEIGHT, axis.title, { anchor: 'middle', soft: true })];
}

export interface BarPlot {
  readonly label: string;
  readonly value: Axis;
  /** One stack a row, drawn from the left. */
  readonly rows: readonly {
    readonly name: string;
    readonly parts: readonly { readonly value: number; readonly colour: Colour; readonly name: string }[];
    /** A mark across the bar, such as a limit of this row. */
    readonly mark?: { readonly value: number; readonly name: string };
    /** Text after the bar. */
    readonly note?: string;
  }[];
  readonly legend?: readonly { readonly name: string; readonly colour: Colour }[];
  readonly rowHeight?: number;
  readonly labelWidth?: number;
}

/** Horizontal bars, stacked; each part tells its name and value to the pointer. */
export function barPlot(plot: BarPlot): Markup {
  const rowHeight = plot.rowHeight ?? 26;
  const left = plot.labelWidth ?? 170;
  const right = WIDTH - 90;
  const top = plot.legend ? 30 : 8;
  const bottom = top + plot.rows.length * rowHeight;
  const totals = plot.rows.flatMap((r) => [r.parts.reduce((a, p) => a + p.value, 0), r.mark?.value ?? 0]);
  const x = scaleOf([0, ...totals], plot.value, left, right);
  const out: Markup[] = plot.legend ? legend(plot.legend, left, 14) : [];
  out.push(...valueAxis(x, plot.value, { left, right, top, bottom }));
  plot.rows.forEach((row, i) => {
    const y = top + i * rowHeight;
    const gap = Math.min(4, rowHeight * 0.15);
    out.push(text(left - 8, y + rowHeight / 2 + 4, row.name, { anchor: 'end' }));
    let sum = 0;
    for (const p of row.parts) {
      const tip = `${row.name}, ${p.name}: ${plot.value.format(p.value)}`;
      out.push(rect(x.at(sum), y + gap, x.at(sum + p.value) - x.at(sum), rowHeight - 2 * gap, fill(p.colour), tip));
      sum += p.value;
    }
    if (row.mark) {
      const at = x.at(row.mark.value);
      out.push(
        html`<g>${line(at, y + 1, at, y + rowHeight - 1, 'text', ' stroke-width="2"')}<title>${`${row.name}, ${row.mark.name}: ${plot.value.format(row.mark.value)}`}</title></g>\n`,
      );
    }
    if (row.note) out.push(text(x.at(Math.max(sum, row.mark?.value ?? 0)) + 8, y + rowHeight / 2 + 4, row.note));
  });
  return svg(bottom + 2 * LABEL_HEIGHT + 8, plot.label, out);
}

export interface IntervalPlot {
  readonly label: string;
  readonly value: Axis;
  readonly rows: readonly {
    readonly name: string;
    readonly value: number;
    readonly low: number;
    readonly high: number;
    readonly colour: Colour;
    /** The value to reach, drawn as a mark. */
    readonly goal?: number;
  }[];
}

/** One point with its interval a row, and the goal of the row where it has one. */
export function intervalPlot(plot: IntervalPlot): Markup {
  const [left, right, top, rowHeight] = [170, WIDTH - 90, 8, 30];
  const bottom = top + plot.rows.length * rowHeight;
  const x = scaleOf(
    plot.rows.flatMap((r) => [r.low, r.high, r.goal ?? r.value]),
    plot.value,
    left,
    right,
  );
  const out: Markup[] = [];
  out.push(...valueAxis(x, plot.value, { left, right, top, bottom }));
  plot.rows.forEach((r, i) => {
    const y = top + (i + 0.5) * rowHeight;
    const f = plot.value.format;
    out.push(text(left - 8, y + 4, r.name, { anchor: 'end' }));
    out.push(line(x.at(r.low), y, x.at(r.high), y, r.colour, ' stroke-width="3" stroke-linecap="round"'));
    const tip = `${r.name}: ${f(r.value)}, ${f(r.low)} to ${f(r.high)}`;
    out.push(
      html`<circle cx="${px(x.at(r.value))}" cy="${px(y)}" r="5.5" fill="${fill(r.colour)}" stroke="var(--ground)" stroke-width="1.5"><title>${tip}</title></circle>\n`,
    );
    out.push(text(right + 12, y + 4, f(r.value)));
    if (r.goal !== undefined) {
      out.push(
        html`<g>${line(x.at(r.goal), y - 10, x.at(r.goal), y + 10, 'text', ' stroke-width="2"')}<title>${`goal: ${f(r.goal)}`}</title></g>\n`,
      );
    }
  });
  return svg(bottom + 2 * LABEL_HEIGHT + 8, plot.label, out);
}

export interface HeatMap {
  readonly label: string;
  readonly columnTitle: string;
  /** Cells in 0..1, from the first column; rows may be shorter than the widest. */
  readonly rows: readonly { readonly name: string; readonly cells: readonly number[]; readonly note?: string }[];
  readonly format: (value: number) => string;
}

/** Cells shaded by their value, on a square-root scale so that small ones stay visible. */
export function heatMap(map: HeatMap): Markup {
  const [left, right, top, rowHeight] = [170, WIDTH - 90, 26, 13];
  const columns = Math.max(1, ...map.rows.map((r) => r.cells.length));
  const step = (right - left) / columns;
  const out: Markup[] = [text(left, 14, map.columnTitle, { soft: true })];
  map.rows.forEach((row, i) => {
    const y = top + i * rowHeight;
    out.push(
      html`<text x="${px(left - 8)}" y="${px(y + 10)}" text-anchor="end" style="font-size:10px">${row.name}</text>\n`,
    );
    row.cells.forEach((v, k) => {
      const shade = Math.round(Math.sqrt(Math.max(0, Math.min(1, v))) * 100) / 100;
      out.push(
        html`<rect x="${px(left + k * step)}" y="${px(y)}" width="${px(step - 1)}" height="${px(rowHeight - 1)}" fill="var(--one)" fill-opacity="${px(Math.max(0.03, shade))}"><title>${`${row.name}, component ${k + 1}: ${map.format(v)}`}</title></rect>\n`,
      );
    });
    if (row.note)
      out.push(html`<text x="${px(right + 8)}" y="${px(y + 10)}" style="font-size:10px">${row.note}</text>\n`);
  });
  return svg(top + map.rows.length * rowHeight + 6, map.label, out);
}
