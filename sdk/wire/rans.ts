import { viewBytes } from '../util/tensor.ts';
import { type ByteReader, type ByteWriter, damaged } from './bits.ts';
import { fitModel, readModel, type TokenModel, writeModel } from './frequencies.ts';
import { MAX_TOKENS } from './tokens.ts';

/**
 * rANS (Duda, arXiv 1311.2540) over tokens: 32-bit states in [2^16, 2^32), 16-bit words, four interleaved states for
 * longer streams so that the decoder's chains overlap. Every symbol moves at most one word, because the precision is at
 * most 14 bits. States start at 2^16 and must be there again when the decoder ends: that and the word count are the check.
 *
 * One stream: model table, varint number of words, the states, the words. The token count is known to both sides.
 */
const LOW = 0x10000;
const LONG = 256;

function lanesOf(count: number): number {
  return count >= LONG ? 4 : 1;
}

export function histogram(tokens: Uint16Array): Uint32Array {
  const counts = new Uint32Array(MAX_TOKENS);
  for (let i = 0; i < tokens.length; i++) counts[tokens[i]]++;
  return counts;
}

/** Bytes of the stream of `count` tokens under a model, within a few bytes; extra bits included. */
export function streamSize(model: TokenModel, count: number): number {
  const words = Math.ceil(model.payloadBits / 16);
  return Math.ceil(model.tableBits / 8) + varintSize(words) + lanesOf(count) * 2 + 2 * words;
}

function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : 4;
}

/** Writes a stream; `tokens` is not empty. */
export function writeStream(
  writer: ByteWriter,
  tokens: Uint16Array,
  model: TokenModel = fitModel(histogram(tokens)),
): void {
  const { precision, frequencies } = model;
  const starts = new Uint32Array(frequencies.length);
  for (let t = 1; t < starts.length; t++) starts[t] = starts[t - 1] + frequencies[t - 1];
  const lanes = lanesOf(tokens.length);
  const states = new Float64Array(lanes).fill(LOW);
  const words = new Uint8Array(2 * tokens.length);
  const range = 2 ** precision;
  const renormal = 2 ** (32 - precision);
  let at = words.length;
  // The decoder reads forwards, so coding runs backwards, filling the words from their end.
  for (let i = tokens.length - 1; i >= 0; i--) {
    const frequency = frequencies[tokens[i]];
    const lane = i % lanes;
    let x = states[lane];
    if (x >= frequency * renormal) {
      words[--at] = (x >>> 8) & 0xff;
      words[--at] = x & 0xff;
      x = Math.floor(x / LOW);
    }
    states[lane] = Math.floor(x / frequency) * range + (x % frequency) + starts[tokens[i]];
  }
  writeModel(writer, model);
  writer.varint((words.length - at) / 2);
  for (const x of states) writer.u32(x);
  writer.bytes(words.subarray(at));
}

interface Decoder {
  readonly precision: number;
  /** Frequency << 14 | (slot - start), by slot. */
  readonly steps: Int32Array;
  readonly tokens: Uint16Array;
}

function decoderOf(reader: ByteReader): Decoder {
  const { precision, frequencies } = readModel(reader);
  const steps = new Int32Array(2 ** precision);
  const tokens = new Uint16Array(2 ** precision);
  let slot = 0;
  for (let t = 0; t < frequencies.length; t++) {
    for (let k = 0; k < frequencies[t]; k++, slot++) {
      steps[slot] = (frequencies[t] << 14) | k;
      tokens[slot] = t;
    }
  }
  return { precision, steps, tokens };
}

/**
 * Reads a stream of out.length (> 0) tokens.
 * @throws EigenError EW6002_BUNDLE_TAMPERED.
 */
export function readStream(reader: ByteReader, out: Uint16Array): void {
  const decoder = decoderOf(reader);
  const wordCount = reader.varint();
  const states = Uint32Array.from({ length: lanesOf(out.length) }, () => reader.u32());
  const words = viewBytes('u16', reader.bytes(2 * wordCount));
  if (states.some((x) => x < LOW)) throw damaged('a coder state is not valid');
  const progress = states.length === 4 ? decodeFast(decoder, states, words, out) : { done: 0, at: 0 };
  const at = decodeCarefully(decoder, states, words, out, progress);
  if (at !== words.length || states.some((x) => x !== LOW))
    throw damaged('entropy-coded data does not end where it should');
}

/**
 * Four tokens at a time while at least four words are left, so that no read needs a check. Whether a state takes a word is
 * a coin toss that a branch predictor loses, hence the masks: m is -1 when it does, 0 when not. Updates `states`.
 */
function decodeFast(
  decoder: Decoder,
  states: Uint32Array,
  words: Uint16Array,
  out: Uint16Array,
): { done: number; at: number } {
  const { precision, steps, tokens } = decoder;
  const mask = 2 ** precision - 1;
  const end = out.length - 3;
  const safe = words.length - 4;
  let a = states[0] | 0;
  let b = states[1] | 0;
  let c = states[2] | 0;
  let d = states[3] | 0;
  let at = 0;
  let i = 0;
  for (; i < end && at <= safe; i += 4) {
    const sa = a & mask;
    const sb = b & mask;
    const sc = c & mask;
    const sd = d & mask;
    const ea = steps[sa];
    const eb = steps[sb];
    const ec = steps[sc];
    const ed = steps[sd];
    out[i] = tokens[sa];
    out[i + 1] = tokens[sb];
    out[i + 2] = tokens[sc];
    out[i + 3] = tokens[sd];
    a = (Math.imul(ea >>> 14, a >>> precision) + (ea & 0x3fff)) | 0;
    b = (Math.imul(eb >>> 14, b >>> precision) + (eb & 0x3fff)) | 0;
    c = (Math.imul(ec >>> 14, c >>> precision) + (ec & 0x3fff)) | 0;
    d = (Math.imul(ed >>> 14, d >>> precision) + (ed & 0x3fff)) | 0;
    const ma = ((a >>> 16) - 1) >> 31;
    a = (a << (ma & 16)) | (words[at] & ma) | 0;
    at -= ma;
    const mb = ((b >>> 16) - 1) >> 31;
    b = (b << (mb & 16)) | (words[at] & mb) | 0;
    at -= mb;
    const mc = ((c >>> 16) - 1) >> 31;
    c = (c << (mc & 16)) | (words[at] & mc) | 0;
    at -= mc;
    const md = ((d >>> 16) - 1) >> 31;
    d = (d << (md & 16)) | (words[at] & md) | 0;
    at -= md;
  }
  states.set([a, b, c, d]);
  return { done: i, at };
}

/** The rest, one token at a time with every read checked; returns the place reached. */
function decodeCarefully(
  decoder: Decoder,
  states: Uint32Array,
  words: Uint16Array,
  out: Uint16Array,
  from: { done: number; at: number },
): number {
  const { precision, steps, tokens } = decoder;
  let at = from.at;
  for (let i = from.done; i < out.length; i++) {
    const lane = i % states.length;
    const slot = states[lane] & (2 ** precision - 1);
    const step = steps[slot];
    let x = (Math.imul(step >>> 14, states[lane] >>> precision) + (step & 0x3fff)) >>> 0;
    if (x < LOW) {
      if (at >= words.length) throw damaged('entropy-coded data ends too early');
      x = ((x << 16) | words[at++]) >>> 0;
    }
    states[lane] = x;
    out[i] = tokens[slot];
  }
  return at;
}
