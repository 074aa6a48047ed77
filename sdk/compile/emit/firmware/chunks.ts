/** A C text taken apart into its definitions, so that a file gets those that it uses and no others. */

/** One definition with its comment: a function, a table, a macro, a type, or a whole conditional section of them. */
interface Chunk {
  readonly names: readonly string[];
  readonly text: string;
}

const OPENS = /^(?:EW_INLINE|EW_SHARED|static|typedef|union)\b/;

/** Takes C texts apart: definitions begin at the start of a line, and end where their brackets do. */
function chunksOf(source: string): Chunk[] {
  const lines = source.split('\n');
  const chunks: Chunk[] = [];
  let comment: string[] = [];
  for (let i = 0; i < lines.length; ) {
    const line = lines[i]!;
    const from = i;
    if (line.startsWith('/*')) {
      do i++;
      while (!lines[i - 1]!.includes('*/'));
      comment.push(...lines.slice(from, i));
      continue;
    }
    if (line.startsWith('#if')) i = endOfSection(lines, i);
    else if (line.startsWith('#define')) while (lines[i++]!.endsWith('\\'));
    else if (OPENS.test(line)) i = endOfDefinition(lines, i);
    else {
      if (line.trim() !== '') throw new Error(`no definition begins with: ${line}`);
      i++;
      comment = [];
      continue;
    }
    const body = lines.slice(from, i);
    chunks.push({ names: body.flatMap(defined), text: `${[...comment, ...body].join('\n')}\n` });
    comment = [];
  }
  return chunks;
}

function endOfSection(lines: readonly string[], from: number): number {
  let depth = 0;
  for (let i = from; i < lines.length; i++) {
    if (lines[i]!.startsWith('#if')) depth++;
    if (lines[i]!.startsWith('#endif') && --depth === 0) return i + 1;
  }
  throw new Error(`a section is not closed: ${lines[from]}`);
}

function endOfDefinition(lines: readonly string[], from: number): number {
  let depth = 0;
  for (let i = from; i < lines.length; i++) {
    for (const c of lines[i]!) depth += c === '{' ? 1 : c === '}' ? -1 : 0;
    if (depth === 0 && /[;}]\s*$/.test(lines[i]!)) return i + 1;
  }
  throw new Error(`a definition is not closed: ${lines[from]}`);
}

/** Names that a line defines at file level. */
function defined(line: string): string[] {
  const macro = /^#define (\w+)/.exec(line);
  if (macro) return [macro[1]!];
  if (line.startsWith('typedef')) return [...line.matchAll(/(\w+);/g)].map((m) => m[1]!);
  if (!OPENS.test(line)) return [];
  const name = /(\w+)\s*[([=]/.exec(line.replace(/^(?:EW_INLINE|EW_SHARED)\s+/, ''));
  return name ? [name[1]!] : [];
}

const wordsOf = (text: string): Set<string> => new Set(text.match(/\b[A-Za-z_]\w*\b/g));

/**
 * The definitions of `library` that `text` uses, itself or by way of others, each after those it uses. Of several definitions of a name
 * the first one counts.
 */
export function definitionsFor(text: string, library: readonly string[]): string {
  const byName = new Map<string, Chunk>();
  const order = library.flatMap(chunksOf);
  for (const chunk of order) for (const name of chunk.names) if (!byName.has(name)) byName.set(name, chunk);
  const place = new Map(order.map((c, i) => [c, i]));
  const done = new Set<Chunk>();
  const out: string[] = [];
  const visit = (source: string): void => {
    const wanted = [...wordsOf(source)].flatMap((w) => byName.get(w) ?? []);
    for (const chunk of wanted.sort((a, b) => place.get(a)! - place.get(b)!)) {
      if (done.has(chunk)) continue;
      done.add(chunk);
      visit(chunk.text);
      out.push(chunk.text);
    }
  };
  visit(text);
  return out.join('');
}
