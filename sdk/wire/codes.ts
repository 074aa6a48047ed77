import {
  coarse,
  coarseningError,
  codeCounts,
  fittingPoints,
  halfOf,
  MAX_PLANES,
  type Points,
  pointOf,
  pointsOf,
} from '../util/nested.ts';
import { ByteReader, ByteWriter, damaged } from './bits.ts';
import { CLASSES, FIXED, type Modelled, planInts, RANS, readModels, readWhole, writeModels } from './ints.ts';
import { fitsWithin, panelLayout } from './panels.ts';
import {
  coarseReach,
  coarserFrequencies,
  digitSteps,
  digitSymbol,
  digitTables,
  tokenSteps,
  tokenTables,
} from './planes.ts';
import { decodePlanes, lanesOf, readStream, type Shape, writeStream } from './rans.ts';
import { DIRECT_TOKENS, tokensOf, unzigzag, widthOf, writeFixed, zigzag } from './tokens.ts';

/**
 * Weight codes: whole, or as a base and up to three planes that refine it (sdk/util/nested.ts), each a chunk of bytes of its own.
 * The base begins with a byte: the mode of ints.ts, plus 16 for every plane. With planes there follow the largest magnitude of a
 * code and, from the finest to the coarsest level, the points that stand for coarse values: a byte with the two offsets, the first
 * in the low bits, and a byte with `inner`. Then the models of the whole codes as in ints.ts, and the stream of the coarse values. A
 * plane is one stream of digits.
 */
export interface CodedWeights {
  readonly base: Uint8Array;
  /** Coarsest first: the order in which they refine. */
  readonly planes: readonly Uint8Array[];
  /** Points of level 1, 2, ..., as many as planes. */
  readonly points: readonly Points[];
}

/** The points of a level for codes with a histogram. */
export type PointChoice = (level: number, counts: Float64Array) => Points;

/** Points with which coarse codes [rows, cols] fit the panels (panels.ts) of the codes. */
export function panelPoints(codes: Int8Array, rows: number, cols: number): PointChoice {
  const layout = panelLayout(codes, rows, cols);
  return (level) => fittingPoints(codes, level, (coarser) => fitsWithin(layout, coarser));
}

/**
 * What base and planes of a matrix may take beyond its whole codes. Only small ones take as much, but all layers of a small network are
 * that, and half of its bytes should be a model too.
 */
const PLANE_COST = 0.015;
/** Share of the codes' energy that a base may miss: what misses more says next to nothing. */
const LARGEST_ERROR = 0.9;
/** Planes of a long stream: each is one more pass of the decoder. */
const LONG_PLANES = 2;
/** Of a plane besides its digits and states: its points, its entry in the list of refinements. */
const PLANE_BYTES = 6;

/** Codes weight codes [rows, cols]; with `choose` in planes, where that costs next to nothing. */
export function encodeCodes(codes: Int8Array, rows: number, cols: number, choose?: PointChoice): CodedWeights {
  const tokens = tokensOf(codes);
  const plan = planInts(codes, tokens, rows, cols);
  const writer = new ByteWriter();
  if (plan.mode === FIXED) {
    const width = widthOf(codes);
    writer.byte(FIXED);
    writer.byte(width);
    writeFixed(writer, codes, width);
    return { base: writer.finish(), planes: [], points: [] };
  }
  const counts = codeCounts(codes);
  const count = choose ? planeCount(counts, plan) : 0;
  const points = Array.from({ length: count }, (_, i) => choose!(i + 1, counts));
  writer.byte(plan.mode | (count << 4));
  writePoints(writer, points);
  writeModels(writer, plan);
  const levels = levelsOf(plan, count);
  writeCoarsest(writer, tokens, plan.shape, { classes: levels[count], bits: plan.models[0].precision, count });
  return { base: writer.finish(), planes: planesFrom(tokens, plan.shape, levels), points };
}

/** Writes the stream of what is left of codes when `count` planes are split off. */
function writeCoarsest(
  writer: ByteWriter,
  tokens: Uint16Array,
  shape: Shape,
  { classes, bits, count }: { readonly classes: readonly Uint16Array[]; readonly bits: number; readonly count: number },
): void {
  const table = byToken((q) => zigzag(coarse(q, count)));
  writeStream(writer, shape, tokenSteps(classes, bits), { tokens, table, end: 'last' });
}

/** The planes, coarsest first; `levels` as of levelsOf. */
function planesFrom(tokens: Uint16Array, shape: Shape, levels: readonly Uint16Array[][]): Uint8Array[] {
  const planes: Uint8Array[] = [];
  for (let level = levels.length - 2; level >= 0; level--)
    planes.push(encodePlane(tokens, shape, levels[level], level));
  return planes;
}

/** Bytes of base and planes in the order of travel, without headers: those of encodeCodes, whatever the points are. */
export function codeSizes(codes: Int8Array, rows: number, cols: number): number[] {
  const { base, planes } = encodeCodes(codes, rows, cols, (level, counts) => pointsOf(counts, level));
  return [base.length, ...planes.map((p) => p.length)];
}

/**
 * What of a base stands before its stream, by which the same codes are coded to the same bytes again.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function codingOf(base: Uint8Array, length: number): Uint8Array {
  const reader = new ByteReader(base);
  const mode = reader.byte() & 15;
  if (mode === FIXED) return base.slice(0, 2);
  readPoints(reader, planesOf(base));
  readModels(reader, modelled(mode), length);
  return base.slice(0, base.length - reader.remaining);
}

/**
 * Codes weight codes as codingOf says: nothing is decided anew, so that any version gives the bytes that the first encoder gave.
 * @throws EigenError EW6002_BUNDLE_TAMPERED for a coding that is damaged or lacks one of the codes.
 */
export function encodeCodesAs(coding: Uint8Array, codes: Int8Array): Pick<CodedWeights, 'base' | 'planes'> {
  const count = planesOf(coding);
  const reader = new ByteReader(coding);
  const mode = reader.byte() & 15;
  const writer = new ByteWriter();
  writer.bytes(coding);
  if (mode === FIXED) {
    const width = reader.byte();
    if (reader.remaining > 0 || widthOf(codes) > width || width > 8) throw damaged('a width does not fit the codes');
    writeFixed(writer, codes, width);
    return { base: writer.finish(), planes: [] };
  }
  readPoints(reader, count);
  const { shape, bits, classes } = readModels(reader, modelled(mode), codes.length);
  if (reader.remaining > 0) throw damaged('bytes are left over');
  const tokens = tokensOf(codes);
  checkTokens(tokens, shape, classes);
  const levels = levelsOf({ models: classes.map((frequencies) => ({ frequencies })) }, count);
  writeCoarsest(writer, tokens, shape, { classes: levels[count], bits, count });
  return { base: writer.finish(), planes: planesFrom(tokens, shape, levels) };
}

function modelled(mode: number): typeof RANS | typeof CLASSES {
  if (mode !== RANS && mode !== CLASSES) throw damaged(`coding mode ${mode} is unknown`);
  return mode;
}

/** The coder takes symbols with a frequency only. */
function checkTokens(tokens: Uint16Array, { rows, cols, classes: rowClasses }: Shape, classes: readonly Uint16Array[]) {
  for (let row = 0, i = 0; row < rows; row++) {
    const frequencies = classes[rowClasses?.[row] ?? 0];
    for (let col = 0; col < cols; col++, i++)
      if (!((frequencies[tokens[i]] ?? 0) > 0)) throw damaged('a code has no frequency');
  }
}

/** Planes that may be split off: few enough that the base says something and the ends of the streams cost nothing. */
function planeCount(counts: Float64Array, { models, shape }: Modelled): number {
  const energy = counts.reduce((sum, n, i) => sum + n * (i - 128) ** 2, 0);
  const bytes = models.reduce((sum, m) => sum + m.payloadBits, 0) / 8;
  const lanes = lanesOf(shape);
  const cost = 2 * lanes + PLANE_BYTES;
  for (let count = lanes > 1 ? LONG_PLANES : MAX_PLANES; count > 0; count--) {
    if (
      count * cost <= PLANE_COST * bytes &&
      coarseningError(counts, pointsOf(counts, count)) <= LARGEST_ERROR * energy
    )
      return count;
  }
  return 0;
}

/** Frequencies of every class by level: of the codes, of their thirds, of their ninths and so on. */
function levelsOf({ models }: { readonly models: readonly { readonly frequencies: Uint16Array }[] }, count: number) {
  const levels: Uint16Array[][] = [models.map((m) => m.frequencies)];
  for (let i = 0; i < count; i++) levels.push(levels[i].map(coarserFrequencies));
  return levels;
}

function encodePlane(tokens: Uint16Array, shape: Shape, classes: readonly Uint16Array[], level: number): Uint8Array {
  const reach = coarseReach(classes);
  const symbols = byToken((code) => {
    const q = coarse(code, level);
    const k = coarse(q, 1);
    // Codes beyond the reach do not occur.
    return Math.abs(k) > reach ? 0 : digitSymbol(k, q - 3 * k, reach);
  });
  const writer = new ByteWriter();
  writeStream(writer, shape, digitSteps(classes, reach), { tokens, table: symbols, end: 'last' });
  return writer.finish();
}

/** The codes of their tokens. */
const VALUES = byToken((code) => code);

/** A table over the tokens of codes. */
function byToken(symbolOf: (code: number) => number): Uint16Array {
  return Uint16Array.from({ length: DIRECT_TOKENS }, (_, token) => symbolOf(unzigzag(token)));
}

function writePoints(writer: ByteWriter, points: readonly Points[]): void {
  points.forEach(({ level, offsets, inner, limit }) => {
    if (level === 1) writer.byte(limit);
    writer.byte(offsets[0] | (offsets[1] << 4));
    writer.byte(inner);
  });
}

function readPoints(reader: ByteReader, count: number): Points[] {
  if (count === 0) return [];
  const limit = reader.byte();
  if (limit > 128) throw damaged('the largest code is not valid');
  return Array.from({ length: count }, (_, i) => {
    const byte = reader.byte();
    const offsets = [byte & 15, byte >> 4] as const;
    const inner = reader.byte();
    if (inner === 0 || offsets.some((o) => o > halfOf(i + 1))) throw damaged('a point of coarse codes is not valid');
    return { level: i + 1, offsets, inner, limit };
  });
}

/** Planes that a base was split from. @throws EigenError EW6002_BUNDLE_TAMPERED. */
export function planesOf(base: Uint8Array): number {
  const head = new ByteReader(base).byte();
  const count = head >> 4;
  if (count > MAX_PLANES || ((head & 15) === FIXED && count > 0)) throw damaged('the number of planes is not valid');
  return count;
}

/**
 * Decodes exactly out.length codes from a base and as many of its planes as there are; without the last ones the codes are those
 * that `coarsen` gives.
 * @throws EigenError EW6002_BUNDLE_TAMPERED when the bytes are not what encodeCodes wrote for that many codes.
 */
export function decodeCodes(base: Uint8Array, planes: readonly Uint8Array[], out: Int8Array): void {
  const count = planesOf(base);
  if (planes.length > count) throw damaged('there are more planes than were split off');
  const reader = new ByteReader(base);
  const mode = reader.byte() & 15;
  if (mode === FIXED) readWhole(reader, out);
  else if (mode === RANS || mode === CLASSES) {
    if (out.length === 0) throw damaged('values where there should be none');
    const points = readPoints(reader, count);
    const { shape, bits, classes } = readModels(reader, mode, out.length);
    if (classes.some((f) => f.length > 256)) throw damaged('a code does not fit its type');
    const levels = levelsOf({ models: classes.map((frequencies) => ({ frequencies })) }, count);
    const coarsest = { stream: readStream(reader, shape, 'last'), tables: tokenTables(levels[count], bits, VALUES) };
    const digits = planes.map((bytes, i) => {
      const finer = levels[count - 1 - i];
      const plane = new ByteReader(bytes);
      const stream = readStream(plane, shape, 'last');
      if (plane.remaining > 0) throw damaged('bytes are left over');
      return { stream, tables: digitTables(finer, coarseReach(finer)) };
    });
    decodePlanes(shape, coarsest, digits, out);
    const missing = count - planes.length;
    if (missing > 0) place(out, points[missing - 1]);
  } else throw damaged(`coding mode ${mode} is unknown`);
  if (reader.remaining > 0) throw damaged('bytes are left over');
}

/** Coarse values become codes. */
function place(out: Int8Array, points: Points): void {
  const table = Int8Array.from({ length: 256 }, (_, i) => pointOf(i - 128, points));
  for (let i = 0; i < out.length; i++) out[i] = table[out[i] + 128];
}
