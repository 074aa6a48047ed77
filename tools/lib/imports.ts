/** One import, re-export or dynamic import of a source file. */
export interface ImportRef {
  readonly specifier: string;
  /** 1-based line of the specifier. */
  readonly line: number;
  /** Offset of the specifier in the source. */
  readonly at: number;
}

const FROM = /\b(?:import|export)\b[^'";]*?\bfrom\s*(['"])(\0*)\1/g;
const BARE = /\bimport\s*(['"])(\0*)\1/g;
const DYNAMIC = /\bimport\s*\(\s*(['"`])(\0*)\1/g;

/** Finds every import of a TypeScript source: static, type-only, re-export, side effect, dynamic and in type position. */
export function importsOf(source: string): ImportRef[] {
  const masked = maskLiterals(source);
  const found: { at: number; specifier: string }[] = [];
  for (const pattern of [FROM, BARE, DYNAMIC]) {
    for (const m of masked.matchAll(pattern)) {
      const end = m.index + m[0].length - 1;
      const start = end - m[2]!.length;
      found.push({ at: start, specifier: source.slice(start, end) });
    }
  }
  found.sort((a, b) => a.at - b.at);
  return found.map(({ at, specifier }) => ({ specifier, at, line: source.slice(0, at).split('\n').length }));
}

/**
 * The source with comments blanked and the content of string, template and regex literals replaced by NUL, length kept: what is left
 * can be searched by pattern without meeting text that only looks like code.
 */
function maskLiterals(source: string): string {
  const out = source.split('');
  const blank = (from: number, to: number, fill: string): void => {
    for (let k = from; k < to; k++) if (out[k] !== '\n') out[k] = fill;
  };
  let i = 0;
  while (i < source.length) {
    const c = source[i]!;
    const end = literalEnd(source, i);
    if (end === undefined) {
      i++;
    } else {
      const comment = c === '/' && (source[i + 1] === '/' || source[i + 1] === '*');
      if (comment) blank(i, end, ' ');
      else blank(i + 1, end - 1, '\0');
      i = end;
    }
  }
  return out.join('');
}

/** End (exclusive) of the comment or literal that starts at `i`; undefined when none does. */
function literalEnd(source: string, i: number): number | undefined {
  const c = source[i];
  if (c === "'" || c === '"') return quotedEnd(source, i, c);
  if (c === '`') return templateEnd(source, i);
  if (c !== '/') return undefined;
  if (source[i + 1] === '/') return orEnd(source, source.indexOf('\n', i));
  if (source[i + 1] === '*') return orEnd(source, source.indexOf('*/', i + 2) + 2, 1);
  return startsRegex(source, i) ? regexEnd(source, i) : undefined;
}

function orEnd(source: string, at: number, missing = -1): number {
  return at === missing ? source.length : at;
}

function quotedEnd(source: string, i: number, quote: string): number {
  let k = i + 1;
  while (k < source.length && source[k] !== quote && source[k] !== '\n') k += source[k] === '\\' ? 2 : 1;
  return k + 1;
}

/** Templates are skipped whole, nested `${}` included. */
function templateEnd(source: string, i: number): number {
  let k = i + 1;
  while (k < source.length && source[k] !== '`') {
    if (source[k] === '\\') k += 2;
    else if (source[k] === '$' && source[k + 1] === '{') k = bracedEnd(source, k + 2);
    else k++;
  }
  return k + 1;
}

function bracedEnd(source: string, i: number): number {
  let k = i;
  for (let depth = 1; k < source.length && depth > 0; ) {
    const end = literalEnd(source, k);
    if (end !== undefined) {
      k = end;
      continue;
    }
    if (source[k] === '{') depth++;
    if (source[k] === '}') depth--;
    k++;
  }
  return k;
}

/** A slash starts a regex when no value can stand before it. */
function startsRegex(source: string, i: number): boolean {
  const before = source.slice(Math.max(0, i - 80), i).trimEnd();
  return before === '' || /[(,=:[!&|?{};+\-*%<>~^]$|\b(?:return|typeof|case|in|of|void|delete)$/.test(before);
}

function regexEnd(source: string, i: number): number {
  let inClass = false;
  let k = i + 1;
  for (; k < source.length && source[k] !== '\n'; k++) {
    const c = source[k];
    if (c === '\\') k++;
    else if (c === '[') inClass = true;
    else if (c === ']') inClass = false;
    else if (c === '/' && !inClass) break;
  }
  return k + 1;
}
