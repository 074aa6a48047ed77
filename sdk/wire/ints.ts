import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { fitModel, type TokenModel } from './frequencies.ts';
import { histogram, readStream, streamSize, writeStream } from './rans.ts';
import { classifyRows, classTokens, scatterClass } from './row-classes.ts';
import {
  DIRECT_TOKENS,
  decodeToken,
  type IntArray,
  MAX_TOKENS,
  readFixed,
  tokensOf,
  widthOf,
  writeExtra,
  writeFixed,
} from './tokens.ts';

/**
 * Small integers, losslessly and compactly: fixed-width, entropy-coded, or entropy-coded with the rows of a matrix in a
 * few classes of like distribution, whichever is smallest. One mode byte, then
 *   fixed:   width in bits, zigzag values;
 *   rans:    one token stream, then the extra bits of large values;
 *   classes: varint rows, varint length and bytes of the row classes (again as ints), one token stream a class, extra bits.
 */
const FIXED = 0;
const RANS = 1;
const CLASSES = 2;

type Plan =
  | { readonly mode: typeof FIXED; readonly size: number; readonly width: number }
  | { readonly mode: typeof RANS; readonly size: number; readonly model: TokenModel }
  | {
      readonly mode: typeof CLASSES;
      readonly size: number;
      readonly rows: number;
      readonly classes: Int8Array;
      readonly models: readonly TokenModel[];
    };

function plan(data: IntArray, tokens: Uint16Array, rows: number, cols: number): Plan {
  const width = widthOf(data);
  const fixed: Plan = { mode: FIXED, size: 2 + Math.ceil((data.length * width) / 8), width };
  if (width === 0) return fixed;
  const model = fitModel(histogram(tokens));
  const rans: Plan = { mode: RANS, size: 1 + streamSize(model, data.length), model };
  const simple = rans.size < fixed.size ? rans : fixed;
  const split = classifyRows(tokens, rows, cols);
  if (!split) return simple;
  const map = encodeInts(split.classes);
  const models = split.counts.map(fitModel);
  const streams = models.reduce((sum, m, k) => sum + streamSize(m, split.sizes[k] * cols), 0);
  const size = 1 + 3 + 2 + map.length + streams;
  return size < simple.size ? { mode: CLASSES, size, rows, classes: split.classes, models } : simple;
}

/** Bytes that encodeInts gives, within 0.5 % or a few bytes, without coding. */
export function encodedSize(data: IntArray, rows = 1, cols = data.length): number {
  return plan(data, tokensOf(data), rows, cols).size;
}

/**
 * Bytes of entropy-coded values known only by their histogram: counts[i] values of lowest + i. An upper bound of
 * encodeInts, which may also use row classes.
 */
export function histogramSize(counts: ArrayLike<number>, lowest: number): number {
  const tokens = new Float64Array(MAX_TOKENS);
  const values = Int32Array.from(counts, (_, i) => lowest + i);
  const tokenByValue = tokensOf(values);
  let total = 0;
  for (let i = 0; i < counts.length; i++) {
    tokens[tokenByValue[i]] += counts[i];
    total += counts[i];
  }
  return total === 0 ? 2 : 1 + streamSize(fitModel(tokens), total);
}

/** Codes the integers of a matrix [rows, cols]; the shape only helps, any will do whose product is the length. */
export function encodeInts(data: IntArray, rows = 1, cols = data.length): Uint8Array {
  const tokens = tokensOf(data);
  const chosen = plan(data, tokens, rows, cols);
  const writer = new ByteWriter();
  writer.byte(chosen.mode);
  switch (chosen.mode) {
    case FIXED:
      writer.byte(chosen.width);
      writeFixed(writer, data, chosen.width);
      break;
    case RANS:
      writeStream(writer, tokens, chosen.model);
      break;
    case CLASSES: {
      const map = encodeInts(chosen.classes);
      writer.varint(rows);
      writer.varint(map.length);
      writer.bytes(map);
      chosen.models.forEach((model, k) => {
        writeStream(writer, classTokens(tokens, cols, chosen.classes, k), model);
      });
    }
  }
  if (chosen.mode !== FIXED)
    for (let i = 0; i < data.length; i++) if (tokens[i] >= DIRECT_TOKENS) writeExtra(writer, data[i], tokens[i]);
  return writer.finish();
}

/**
 * Decodes exactly out.length integers from exactly these bytes.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when they are not what encodeInts wrote for that many values of that type.
 */
export function decodeInts(bytes: Uint8Array, out: IntArray): void {
  decode(new ByteReader(bytes), out, true);
}

function decode(reader: ByteReader, out: IntArray, classesAllowed: boolean): void {
  const mode = reader.byte();
  if (mode === FIXED) {
    const width = reader.byte();
    if (width > 32 || (out.length * width) / 8 > reader.remaining) throw damaged('fixed-width values are cut off');
    if (!readFixed(reader, width, out)) throw damaged('a value does not fit its type');
  } else if (mode === RANS || (mode === CLASSES && classesAllowed)) {
    if (out.length === 0) throw damaged('values where there should be none');
    const tokens = new Uint16Array(out.length);
    if (mode === RANS) readStream(reader, tokens);
    else readClasses(reader, tokens);
    expand(tokens, reader, out);
  } else {
    throw damaged(`coding mode ${mode} is unknown`);
  }
  if (reader.remaining > 0) throw damaged('bytes are left over');
}

function readClasses(reader: ByteReader, tokens: Uint16Array): void {
  const rows = reader.varint();
  if (rows === 0 || tokens.length % rows !== 0) throw damaged('row classes do not match the shape');
  const classes = new Int8Array(rows);
  decode(new ByteReader(reader.bytes(reader.varint())), classes, false);
  const sizes: number[] = [];
  for (const k of classes) {
    if (k < 0) throw damaged('a row class is not valid');
    sizes[k] = (sizes[k] ?? 0) + 1;
  }
  const cols = tokens.length / rows;
  for (let k = 0; k < sizes.length; k++) {
    if (!sizes[k]) throw damaged('a row class is empty');
    const part = new Uint16Array(sizes[k] * cols);
    readStream(reader, part);
    scatterClass(part, cols, classes, k, tokens);
  }
}

function expand(tokens: Uint16Array, reader: ByteReader, out: IntArray): void {
  for (let i = 0; i < tokens.length; i++) {
    const t = tokens[i];
    if (t < DIRECT_TOKENS) {
      out[i] = (t >> 1) ^ -(t & 1);
      continue;
    }
    const value = decodeToken(t, reader);
    out[i] = value;
    if (out[i] !== value) throw damaged('a value does not fit its type');
  }
  reader.align();
}
