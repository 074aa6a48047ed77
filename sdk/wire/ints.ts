import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { fitModels, readModel, type TokenModel, writeModel } from './frequencies.ts';
import { tokenSteps, tokenTables } from './planes.ts';
import { decodeSymbols, readStream, type Shape, streamSize, writeStream } from './rans.ts';
import { CLASS_COUNT, classifyRows } from './row-classes.ts';
import {
  DIRECT_TOKENS,
  decodeToken,
  histogram,
  type IntArray,
  MAX_TOKENS,
  readFixed,
  tokensOf,
  unzigzag,
  widthOf,
  writeExtra,
  writeFixed,
  zigzag,
} from './tokens.ts';

/**
 * Small integers, losslessly and compactly: fixed-width, entropy-coded, or entropy-coded with the rows of a matrix in a
 * few classes of like distribution, whichever is smallest. One mode byte, then
 *   fixed:   width in bits, zigzag values;
 *   rans:    one frequency table, the token stream, the extra bits of large values;
 *   classes: varint rows, varint length and bytes of the row classes (again as ints), one table a class, then as rans;
 *   mapped:  zigzag offset and step as varints, then ints n (not mapped themselves) with value = offset + step * n.
 */
export const FIXED = 0;
export const RANS = 1;
export const CLASSES = 2;
const MAPPED = 3;

/** How integers are coded, by estimated sizes. */
export type Plan =
  | { readonly mode: typeof FIXED; readonly size: number; readonly width: number }
  | ({ readonly mode: typeof RANS | typeof CLASSES; readonly size: number } & Modelled);

/** A matrix of tokens with the models of its classes. */
export interface Modelled {
  readonly shape: Shape;
  readonly models: readonly TokenModel[];
  /** Coded row classes. */
  readonly map?: Uint8Array;
}

/** The smallest way to code a matrix [rows, cols]; `size` is within a few bytes of what it takes. */
export function planInts(data: IntArray, tokens: Uint16Array, rows: number, cols: number): Plan {
  const width = widthOf(data);
  const fixed: Plan = { mode: FIXED, size: 2 + Math.ceil((data.length * width) / 8), width };
  if (width === 0) return fixed;
  const flat: Shape = { rows: 1, cols: data.length };
  const models = fitModels([histogram(tokens)]);
  const rans: Plan = { mode: RANS, size: 1 + modelledSize(flat, models), shape: flat, models };
  const simple = rans.size < fixed.size ? rans : fixed;
  const split = classifyRows(tokens, rows, cols);
  if (!split) return simple;
  const map = encodePlain(split.classes, 1, split.classes.length);
  const shape: Shape = { rows, cols, classes: Uint8Array.from(split.classes) };
  const classModels = fitModels(split.counts);
  const size = 1 + 3 + 2 + map.length + modelledSize(shape, classModels);
  return size < simple.size ? { mode: CLASSES, size, shape, models: classModels, map } : simple;
}

function modelledSize(shape: Shape, models: readonly TokenModel[]): number {
  const tables = models.reduce((sum, m) => sum + Math.ceil(m.tableBits / 8), 0);
  const payload = models.reduce((sum, m) => sum + m.payloadBits, 0);
  return tables + streamSize(shape, payload);
}

/** Bytes that encodeInts gives. */
export function encodedSize(data: IntArray, rows = 1, cols = data.length): number {
  return encodeInts(data, rows, cols).length;
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
  return total === 0 ? 2 : 1 + modelledSize({ rows: 1, cols: total }, fitModels([tokens]));
}

/** Tokens are their own symbols. */
const SAME = Uint16Array.from({ length: MAX_TOKENS }, (_, t) => t);

/** More values than this are weight codes, which lie about 0 on their own. */
const MOST_MAPPED = 1 << 16;

/** Codes the integers of a matrix [rows, cols]; the shape only helps, any will do whose product is the length. */
export function encodeInts(data: IntArray, rows = 1, cols = data.length): Uint8Array {
  const plain = encodePlain(data, rows, cols);
  const line = data.length <= MOST_MAPPED ? lineOf(data) : undefined;
  if (!line) return plain;
  const writer = new ByteWriter();
  writer.byte(MAPPED);
  writer.varint(zigzag(line.offset));
  writer.varint(line.step);
  writer.bytes(encodePlain(line.multiples, 1, data.length));
  const mapped = writer.finish();
  return mapped.length < plain.length ? mapped : plain;
}

interface Line {
  readonly offset: number;
  readonly step: number;
  readonly multiples: Int32Array;
}

/** Small values as whole steps from their median, where that is not what they are already. */
function lineOf(data: IntArray): Line | undefined {
  if (data.length === 0) return undefined;
  const sorted = Int32Array.from(data).sort();
  const offset = sorted[data.length >> 1];
  if (sorted[data.length - 1] - sorted[0] >= 2 ** 30) return undefined;
  let step = 0;
  for (const v of sorted) step = divisorOf(step, Math.abs(v - offset));
  step = Math.max(1, step);
  if (step === 1 && offset === 0) return undefined;
  return { offset, step, multiples: Int32Array.from(data, (v) => (v - offset) / step) };
}

/** Greatest common divisor. */
function divisorOf(a: number, b: number): number {
  return b === 0 ? a : divisorOf(b, a % b);
}

function encodePlain(data: IntArray, rows: number, cols: number): Uint8Array {
  const tokens = tokensOf(data);
  const plan = planInts(data, tokens, rows, cols);
  const writer = new ByteWriter();
  writer.byte(plan.mode);
  if (plan.mode === FIXED) {
    writer.byte(plan.width);
    writeFixed(writer, data, plan.width);
    return writer.finish();
  }
  writeModels(writer, plan);
  const frequencies = plan.models.map((m) => m.frequencies);
  writeStream(writer, plan.shape, tokenSteps(frequencies, plan.models[0].precision), {
    tokens,
    table: SAME,
    end: 'more',
  });
  for (let i = 0; i < data.length; i++) if (tokens[i] >= DIRECT_TOKENS) writeExtra(writer, data[i], tokens[i]);
  return writer.finish();
}

/** Writes what a decoder needs before the streams. */
export function writeModels(writer: ByteWriter, { shape, models, map }: Modelled): void {
  if (map) {
    writer.varint(shape.rows);
    writer.varint(map.length);
    writer.bytes(map);
  }
  for (const model of models) writeModel(writer, model);
}

/** What decoding needs of the models. */
export interface ReadModels {
  readonly shape: Shape;
  readonly bits: number;
  /** Frequencies by token of every class. */
  readonly classes: readonly Uint16Array[];
}

/** Reads what writeModels wrote for `length` (> 0) values. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function readModels(reader: ByteReader, mode: typeof RANS | typeof CLASSES, length: number): ReadModels {
  const shape = mode === RANS ? { rows: 1, cols: length } : readShape(reader, length);
  const count = shape.classes ? 1 + shape.classes.reduce((most, k) => Math.max(most, k), 0) : 1;
  const models = Array.from({ length: count }, () => readModel(reader));
  const bits = models[0].precision;
  if (models.some((m) => m.precision !== bits)) throw damaged('frequency tables of two precisions');
  return { shape, bits, classes: models.map((m) => m.frequencies) };
}

function readShape(reader: ByteReader, length: number): Shape {
  const rows = reader.varint();
  if (rows === 0 || length % rows !== 0) throw damaged('row classes do not match the shape');
  const classes = new Int8Array(rows);
  decode(new ByteReader(reader.bytes(reader.varint())), classes, false);
  if (classes.some((k) => k < 0 || k >= CLASS_COUNT)) throw damaged('a row class is not valid');
  return { rows, cols: length / rows, classes: Uint8Array.from(classes) };
}

/**
 * Decodes exactly out.length integers from exactly these bytes.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when they are not what encodeInts wrote for that many values of that type.
 */
export function decodeInts(bytes: Uint8Array, out: IntArray): void {
  decode(new ByteReader(bytes), out, true);
}

/** `nested`: other ints may be inside, as row classes or mapped. */
function decode(reader: ByteReader, out: IntArray, nested: boolean): void {
  const mode = reader.byte();
  if (mode === FIXED) readWhole(reader, out);
  else if (mode === RANS || (mode === CLASSES && nested)) {
    if (out.length === 0) throw damaged('values where there should be none');
    const { shape, bits, classes } = readModels(reader, mode, out.length);
    const stream = readStream(reader, shape, 'more');
    const tokens = new Uint16Array(out.length);
    decodeSymbols(shape, stream, tokenTables(classes, bits, SAME), tokens);
    expand(tokens, reader, out);
  } else if (mode === MAPPED && nested) {
    const offset = unzigzag(reader.varint());
    const step = reader.varint();
    const multiples = new Int32Array(out.length);
    decode(reader, multiples, false);
    for (let i = 0; i < out.length; i++) {
      const value = offset + step * multiples[i];
      out[i] = value;
      if (out[i] !== value) throw damaged('a value does not fit its type');
    }
  } else throw damaged(`coding mode ${mode} is unknown`);
  if (reader.remaining > 0) throw damaged('bytes are left over');
}

/** Reads fixed-width values. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function readWhole(reader: ByteReader, out: IntArray): void {
  const width = reader.byte();
  if (width > 32 || (out.length * width) / 8 > reader.remaining) throw damaged('fixed-width values are cut off');
  if (!readFixed(reader, width, out)) throw damaged('a value does not fit its type');
}

function expand(tokens: Uint16Array, reader: ByteReader, out: IntArray): void {
  for (let i = 0; i < tokens.length; i++) {
    const t = tokens[i];
    const value = t < DIRECT_TOKENS ? unzigzag(t) : decodeToken(t, reader);
    out[i] = value;
    if (out[i] !== value) throw damaged('a value does not fit its type');
  }
  reader.align();
}
