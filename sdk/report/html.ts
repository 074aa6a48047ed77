/** HTML as text: every value that comes from data passes `escapeHtml` once, here or in plot.ts. */

const ESCAPES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (c) => ESCAPES[c]!);
}

/** Markup that is safe to put into a page as it is. */
export interface Markup {
  readonly markup: string;
}

/** Marks text as finished HTML. The caller answers for its escaping. */
export function markup(html: string): Markup {
  return { markup: html };
}

export type Content = string | number | Markup;

/** Text is escaped, Markup kept. */
export function toHtml(content: Content): string {
  return typeof content === 'object' ? content.markup : escapeHtml(String(content));
}

/** Tagged template: literal parts are HTML, values are escaped unless they are Markup; a list of Markup is joined. */
export function html(parts: TemplateStringsArray, ...values: readonly (Content | readonly Markup[])[]): Markup {
  let out = parts[0]!;
  values.forEach((v, i) => {
    out += (Array.isArray(v) ? v.map(toHtml).join('') : toHtml(v as Content)) + parts[i + 1]!;
  });
  return markup(out);
}

export interface Column {
  readonly title: string;
  /** Right-aligned, digits of one width. */
  readonly numeric?: boolean;
}

/** A table; a row shorter than the columns is an error. */
export function tableOf(columns: readonly Column[], rows: readonly (readonly Content[])[]): Markup {
  const cell = (tag: 'td' | 'th', c: Content, k: number): Markup => {
    const style = columns[k]!.numeric ? markup(' class="number"') : '';
    return html`<${markup(tag)}${style}>${c}</${markup(tag)}>`;
  };
  const body = rows.map((row) => {
    if (row.length !== columns.length)
      throw new RangeError(`tableOf: ${row.length} cells for ${columns.length} columns`);
    return html`<tr>${row.map((c, k) => cell('td', c, k))}</tr>\n`;
  });
  const head = columns.map((c, k) => cell('th', c.title, k));
  return html`<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>
${body}</tbody></table></div>
`;
}

export interface Figure {
  readonly title: string;
  /** What is to be seen and where the numbers come from. */
  readonly caption: string;
  readonly content: Markup;
}

export function figureOf(figure: Figure): Markup {
  return html`<figure><figcaption><b>${figure.title}</b> ${figure.caption}</figcaption>${figure.content}</figure>
`;
}

export interface Page {
  readonly title: string;
  /** One sentence under the title. */
  readonly lead: string;
  readonly sections: readonly { readonly title: string; readonly content: readonly Markup[] }[];
}

/** A whole document: no script, no link to anything outside, readable in light and dark and on paper. */
export function pageOf(page: Page): string {
  const sections = page.sections.map((s) => html`<section><h2>${s.title}</h2>\n${s.content}</section>\n`);
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${page.title}</title><style>${markup(STYLE)}</style></head>
<body><h1>${page.title}</h1><p class="lead">${page.lead}</p>
${sections}</body></html>
`.markup;
}

const STYLE = `
:root { color-scheme: light dark; --ground: #fcfcfb; --text: #1a1a19; --soft: #5f5e58; --line: #dddcd6; --grid: #ecebe6;
  --one: #2a78d6; --two: #d95f27; --three: #1baf7a; --four: #8b6bd9; --five: #b8860b; --pale: #b7d3f6; --good: #00703c; --bad: #c62828; }
@media (prefers-color-scheme: dark) { :root { --ground: #1a1a19; --text: #f2f1ec; --soft: #b3b2aa; --line: #44433f; --grid: #2c2c2a;
  --one: #5598e7; --two: #e98650; --three: #35c48f; --four: #a48cea; --five: #d8a838; --pale: #28507f; --good: #4cc38a; --bad: #ff7b72; } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; background: var(--ground); color: var(--text); }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .3rem; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
.lead, figcaption, .note { color: var(--soft); } .lead { margin-top: 0; } figcaption b { color: var(--text); }
figure { margin: 1.2rem 0 1.8rem; } figure svg { max-width: 100%; height: auto; display: block; margin-top: .4rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; margin: .6rem 0; font-size: .92rem; }
th, td { text-align: left; padding: .28rem .9rem .28rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td img { max-height: 48px; max-width: 320px; display: block; } code, .read { font-family: ui-monospace, monospace; white-space: pre-wrap; }
.part { padding-left: 1.2em; color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); } ins, del { text-decoration: none; border-bottom: 2px solid var(--bad); color: var(--bad); }
svg text { font: 12px system-ui, sans-serif; fill: var(--text); } svg .soft { fill: var(--soft); }
`;
