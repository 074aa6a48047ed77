import { planesOf } from '../../sdk/wire/panels.ts';
import { range } from './width.ts';

/** Units of panels (sdk/wire/panels.ts) on vectors of 256 bits: one has four columns of the eight rows of a tile. */

/** Steps of four columns in a unit. */
export const STEPS = range(4);

/** C text of the loads of a unit, and of the fields of step `s` of a plane of so many bits, moved to bit `to`. */
interface Plane {
  readonly loads: (at: number) => string;
  readonly field: (s: number, to: number) => string;
}

/** Bits [from, from + width) of every byte, moved to `to`. */
function moved(v: string, from: number, to: number, width: number): string {
  const by = to - from;
  const shifted = by > 0 ? `_mm256_slli_epi16(${v}, ${by})` : by < 0 ? `_mm256_srli_epi16(${v}, ${-by})` : v;
  return `_mm256_and_si256(${shifted}, _mm256_set1_epi8(${((1 << width) - 1) << to}))`;
}

const load = (at: number): string => `_mm256_loadu_si256((const __m256i *)(w + ${at}))`;

const PLANES: Readonly<Record<number, Plane>> = {
  4: {
    loads: (at) => `const __m256i f0 = ${load(at)}, f1 = ${load(at + 32)};`,
    field: (s, to) => moved(`f${s % 2}`, s < 2 ? 0 : 4, to, 4),
  },
  2: { loads: (at) => `const __m256i t = ${load(at)};`, field: (s, to) => moved('t', 2 * s, to, 2) },
  1: {
    loads: (at) =>
      `const __m256i o = _mm256_srlv_epi32(_mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(w + ${at}))), _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1));`,
    field: (s, to) => moved('o', 2 * s, to, 1),
  },
};

/** C text that reads a unit at w: codes plus 2^(bits - 1), four columns a step. */
interface Unit256 {
  readonly bytes: number;
  readonly loads: string;
  readonly codes: readonly string[];
}

export function unit256(bits: number): Unit256 {
  if (bits === 8) return { bytes: 128, loads: '', codes: STEPS.map((s) => load(32 * s)) };
  const loads: string[] = [];
  const fields = STEPS.map((): string[] => []);
  let [at, to] = [0, 0];
  for (const width of planesOf(bits)) {
    const plane = PLANES[width]!;
    loads.push(plane.loads(at));
    for (const s of STEPS) fields[s]!.push(plane.field(s, to));
    at += 16 * width;
    to += width;
  }
  return {
    bytes: at,
    loads: loads.join(' '),
    codes: fields.map((f) => f.reduce((x, y) => `_mm256_or_si256(${x}, ${y})`)),
  };
}
