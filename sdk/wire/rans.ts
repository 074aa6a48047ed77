import { type ByteReader, type ByteWriter, damaged } from './bits.ts';
import { Heap } from './rans-heap.ts';

/**
 * Streams of the entropy coder (rans.c). States start at 2^16 and must be there again when the decoder ends: that and the
 * number of words are the check.
 *
 * One stream: varint number of words where something follows it, the states (u32), the words (u16). The number of symbols is known
 * to both sides.
 */
const LOW = 0x10000;
/** Long streams have four states, so that the decoder's chains overlap; shorter ones save the bytes. */
const LONG = 32768;
const MAX_LANES = 4;
/** Symbols that are coded between two copies. */
const WINDOW = 65536;

/** Symbols as a matrix whose rows are in classes, each with a table of its own; without classes there is one row. */
export interface Shape {
  readonly rows: number;
  readonly cols: number;
  readonly classes?: Uint8Array | undefined;
}

export function lanesOf({ rows, cols }: Shape): number {
  return rows * cols >= LONG ? MAX_LANES : 1;
}

/** Bytes of a stream whose symbols take `bits`, within a few bytes. */
export function streamSize(shape: Shape, bits: number): number {
  const words = Math.ceil(bits / 16);
  return varintSize(words) + lanesOf(shape) * 2 + 2 * words;
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** What an encoder needs of the models. */
export interface Steps {
  /** Frequencies of a class sum to 2^bits. */
  readonly bits: number;
  /** Frequency | start << 16 of every symbol, the classes one after the other. */
  readonly steps: Uint32Array;
}

/** Whether something follows a stream, so that its length must be told, or nothing does. */
export type StreamEnd = 'more' | 'last';

/** Writes the stream of the symbols that `table` gives for tokens, one a token of the shape. */
export function writeStream(
  writer: ByteWriter,
  shape: Shape,
  { bits, steps }: Steps,
  { tokens, table, end }: { readonly tokens: Uint16Array; readonly table: Uint16Array; readonly end: StreamEnd },
): void {
  const heap = new Heap();
  const windows = windowsOf(shape);
  const most = windows.reduce((n, w) => Math.max(n, w.rows * w.cols), 0);
  const states = heap.put(new Uint32Array(MAX_LANES).fill(LOW));
  const stepsAt = heap.put(steps);
  const symbols = heap.alloc(2 * most);
  const words = heap.alloc(2 * most);
  const top = words + 2 * most;
  const lanes = lanesOf(shape);
  const classes = 1 + (shape.classes?.reduce((highest, k) => Math.max(highest, k), 0) ?? 0);
  const width = steps.length / classes;
  const pieces: Uint8Array[] = [];
  for (const { from, row, rows, cols } of windows.reverse()) {
    const out = new Uint16Array(heap.buffer, symbols, rows * cols);
    for (let r = 0, i = 0; r < rows; r++) {
      const first = shape.classes ? shape.classes[row + r] * width : 0;
      for (let c = 0; c < cols; c++, i++) out[i] = first + table[tokens[from + i]];
    }
    const at = heap.lib.encode(states, top, stepsAt, symbols, rows, cols, lanes, bits);
    pieces.push(new Uint8Array(heap.buffer, at, top - at).slice());
  }
  if (end === 'more') writer.varint(pieces.reduce((sum, p) => sum + p.length, 0) / 2);
  writer.bytes(new Uint8Array(heap.buffer, states, 4 * lanes));
  for (const piece of pieces.reverse()) writer.bytes(piece);
  heap.close();
}

/** A stream as read: the first states of its decoder and the words that follow. */
export interface Stream {
  readonly states: Uint8Array;
  readonly words: Uint8Array;
}

/** @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function readStream(reader: ByteReader, shape: Shape, end: StreamEnd): Stream {
  const counted = end === 'more' ? reader.varint() : undefined;
  const states = reader.bytes(4 * lanesOf(shape));
  const count = counted ?? Math.floor(reader.remaining / 2);
  // Little-endian: the upper half of every state says whether it is at least 2^16.
  for (let i = 0; i < states.length; i += 4)
    if (states[i + 2] === 0 && states[i + 3] === 0) throw damaged('a coder state is not valid');
  return { states, words: reader.bytes(2 * count) };
}

/** What the tables that decode symbols are made of (rans.c: fillSymbols). */
export interface SymbolTables {
  readonly bits: number;
  /** Frequencies of every class, by token, summing to 2^bits. */
  readonly classes: readonly Uint16Array[];
  /** What is put out for a token. */
  readonly symbols: Uint16Array;
}

/** What the tables that decode digits are made of (rans.c: fillDigits). */
export interface DigitTables {
  readonly reach: number;
  /** Of every class the frequencies of three digits for every coarse value from -reach to reach, summing to 2^DIGIT_BITS or to 0. */
  readonly classes: readonly Uint16Array[];
}

export const DIGIT_BITS = 8;

/**
 * Decodes a base stream and refines it by digit streams, as many as there are.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when a stream does not end where it should.
 */
export function decodePlanes(
  shape: Shape,
  base: { readonly stream: Stream; readonly tables: SymbolTables },
  planes: readonly { readonly stream: Stream; readonly tables: DigitTables }[],
  out: Int8Array,
): void {
  const first: Pass = { ...symbolPass(base.tables), stream: base.stream, decode: 'decode8' };
  const refined = planes.map(
    ({ stream, tables: { reach, classes } }): Pass => ({
      stream,
      decode: 'refine',
      bits: DIGIT_BITS,
      classes: classes.length,
      stride: (2 * reach + 1) << DIGIT_BITS,
      entryBytes: 4,
      centre: 4 * (reach << DIGIT_BITS),
      filler: (heap) => (at, c) => heap.lib.fillDigits(at, heap.put(classes[c]), reach),
    }),
  );
  decode(shape, [first, ...refined], out);
}

/** Decodes symbols of up to 16 bits. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function decodeSymbols(shape: Shape, stream: Stream, tables: SymbolTables, out: Uint16Array): void {
  decode(shape, [{ ...symbolPass(tables), stream, decode: 'decode16' }], out);
}

function symbolPass({ bits, classes, symbols }: SymbolTables): Omit<Pass, 'stream' | 'decode'> {
  return {
    bits,
    classes: classes.length,
    stride: 2 ** bits,
    entryBytes: 8,
    centre: 0,
    filler: (heap) => {
      const from = heap.put(symbols);
      return (at, c) => heap.lib.fillSymbols(at, heap.put(classes[c]), from, classes[c].length);
    },
  };
}

interface Pass {
  readonly stream: Stream;
  readonly decode: 'decode8' | 'decode16' | 'refine';
  readonly bits: number;
  /** Tables, as many as classes. */
  readonly classes: number;
  /** Entries of a class. */
  readonly stride: number;
  readonly entryBytes: number;
  /** Byte offset of what a table is addressed by. */
  readonly centre: number;
  /** What fills the table of class `c` at an address. */
  filler(heap: Heap): (at: number, c: number) => void;
}

/** A pass whose stream and tables are in memory. */
interface Placed extends Pass {
  readonly states: number;
  readonly table: number;
  /** Words that are read next, and where they end. */
  at: number;
  readonly end: number;
}

function decode(shape: Shape, passes: readonly Pass[], out: Int8Array | Uint16Array): void {
  const heap = new Heap();
  const windows = windowsOf(shape);
  const most = windows.reduce((n, w) => Math.max(n, w.rows * w.cols), 0);
  const lanes = lanesOf(shape);
  const classes = shape.classes ? heap.put(shape.classes) : 0;
  const symbols = heap.alloc(most * out.BYTES_PER_ELEMENT);
  const placed = passes.map((pass) => place(heap, pass, most));
  const together = lanes === 1 && placed.length > 1;
  for (const { from, row, rows, cols } of windows) {
    const rowClasses = classes === 0 ? 0 : classes + row;
    if (together) decodeTogether(heap, placed, { rowClasses, rows, cols, symbols });
    else
      for (const p of placed) {
        const run = heap.lib[p.decode];
        p.at = run(p.states, p.at, p.table, p.stride, rowClasses, rows, cols, lanes, p.bits, symbols);
      }
    if (placed.some((p) => p.at > p.end)) throw damaged('entropy-coded data ends too early');
    const length = rows * cols;
    if (out instanceof Int8Array) out.set(new Int8Array(heap.buffer, symbols, length), from);
    else out.set(new Uint16Array(heap.buffer, symbols, length), from);
  }
  for (const p of placed) {
    const states = new Uint32Array(heap.buffer, p.states, lanes);
    if (p.at !== p.end || states.some((x) => x !== LOW))
      throw damaged('entropy-coded data does not end where it should');
  }
  heap.close();
}

function place(heap: Heap, pass: Pass, most: number): Placed {
  const { stream, classes, stride, entryBytes } = pass;
  const states = heap.alloc(4 * MAX_LANES);
  new Uint8Array(heap.buffer, states, stream.states.length).set(stream.states);
  const bytes = stride * entryBytes;
  const tables = heap.alloc(classes * bytes);
  const fill = pass.filler(heap);
  for (let c = 0; c < classes; c++) fill(tables + c * bytes, c);
  // One word a symbol beyond the end: the decoders look at the place they have reached only between windows.
  const words = heap.alloc(stream.words.length + 2 * most + 2);
  new Uint8Array(heap.buffer, words, stream.words.length).set(stream.words);
  return { ...pass, states, table: tables + pass.centre, at: words, end: words + stream.words.length };
}

/** Where symbols are put, and of which rows. */
interface Part {
  readonly rowClasses: number;
  readonly rows: number;
  readonly cols: number;
  readonly symbols: number;
}

/** Words of a `Stream` of rans.c, and how many of them a matrix has. */
const STREAM_WORDS = 4;
const STREAMS = 4;

/** A base and all of its planes in one pass: streams with one state. */
function decodeTogether(heap: Heap, placed: readonly Placed[], { rowClasses, rows, cols, symbols }: Part): void {
  const streams = heap.alloc(4 * STREAM_WORDS * STREAMS);
  const of = new Uint32Array(heap.buffer, streams, STREAM_WORDS * STREAMS).fill(0);
  placed.forEach((p, i) => {
    of.set([new Uint32Array(heap.buffer, p.states, 1)[0], p.at, p.table, p.stride], STREAM_WORDS * i);
  });
  const run = [heap.lib.planes1, heap.lib.planes2, heap.lib.planes3][placed.length - 2];
  run(streams, rowClasses, rows, cols, placed[0].bits, symbols);
  placed.forEach((p, i) => {
    new Uint32Array(heap.buffer, p.states, 1)[0] = of[STREAM_WORDS * i];
    p.at = of[STREAM_WORDS * i + 1];
  });
}

interface Window {
  /** First element and first row. */
  readonly from: number;
  readonly row: number;
  readonly rows: number;
  readonly cols: number;
}

/** Pieces of about WINDOW symbols: whole rows, or parts of the only row. */
function windowsOf({ rows, cols }: Shape): Window[] {
  const out: Window[] = [];
  if (rows === 1) {
    for (let from = 0; from < cols; from += WINDOW)
      out.push({ from, row: 0, rows: 1, cols: Math.min(WINDOW, cols - from) });
    return out;
  }
  const step = Math.max(1, Math.floor(WINDOW / cols));
  for (let row = 0; row < rows; row += step)
    out.push({ from: row * cols, row, rows: Math.min(step, rows - row), cols });
  return out;
}
