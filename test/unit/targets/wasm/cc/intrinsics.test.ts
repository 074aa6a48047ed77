import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { intrinsicOf, signatureOf } from '../../../../../targets/wasm/cc/intrinsics.ts';
import { WASM_SIMD_HEADER } from '../../../../../targets/wasm/simd.ts';
import { compileC, instantiate } from '../../../../support/c-module.ts';

/** Three operands, with extremes of all kinds of lanes in them. */
const A = Uint8Array.from([0, 255, 127, 128, 1, 2, 3, 250, 200, 100, 50, 25, 254, 129, 7, 64]);
const B = Uint8Array.from([1, 255, 128, 127, 16, 2, 17, 0, 90, 200, 15, 25, 130, 3, 240, 8]);
const C = Uint8Array.from([240, 15, 0, 255, 170, 85, 1, 128, 9, 99, 18, 81, 33, 66, 124, 248]);
const FLOATS = Float32Array.from([-2.5, 3.5, 0.5, -0]);
const OTHERS = Float32Array.from([-2.5, -1, Number.NaN, 0]);

type Kind =
  | typeof Int8Array
  | typeof Uint8Array
  | typeof Int16Array
  | typeof Uint16Array
  | typeof Int32Array
  | typeof Float32Array;

const view = <T extends Kind>(kind: T, bytes: Uint8Array): InstanceType<T> =>
  new kind(bytes.slice().buffer) as InstanceType<T>;
const bytesOf = (x: ArrayBufferView): Uint8Array => new Uint8Array(x.buffer, x.byteOffset, x.byteLength).slice();

/** Each lane of the result from the lanes of the operands. */
const lanes =
  (kind: Kind, f: (a: number, b: number, c: number) => number, to: Kind = kind) =>
  (a: Uint8Array, b: Uint8Array, c: Uint8Array): Uint8Array => {
    const [x, y, z] = [view(kind, a), view(kind, b), view(kind, c)];
    return bytesOf(to.from([...x].map((v, i) => f(v, y[i]!, z[i]!))));
  };

const clamp = (x: number, least: number, most: number): number => Math.min(Math.max(x, least), most);
const pairs = (x: ArrayLike<number>): number[] =>
  Array.from({ length: x.length / 2 }, (_, i) => x[2 * i]! + x[2 * i + 1]!);
const narrow = (from: Kind, to: Kind, least: number, most: number) => (a: Uint8Array, b: Uint8Array) =>
  bytesOf(to.from([...view(from, a), ...view(from, b)].map((v) => clamp(v, least, most))));
const extend = (from: Kind, to: Kind, high: boolean) => (a: Uint8Array) => {
  const x = [...view(from, a)];
  return bytesOf(to.from(high ? x.slice(x.length / 2) : x.slice(0, x.length / 2)));
};
const bits = (f: (a: number, b: number, c: number) => number) => lanes(Uint8Array, f);
const mask = (holds: boolean): number => (holds ? -1 : 0);
const asMask = (f: (a: number, b: number) => boolean) => (a: Uint8Array, b: Uint8Array) => {
  const [x, y] = [view(Float32Array, a), view(Float32Array, b)];
  return bytesOf(Int32Array.from(x, (v, i) => mask(f(v, y[i]!))));
};
/** Math.min and Math.max are others where one is not a number, or both are zeros. */
const pick = (holds: boolean, yes: number, no: number): number => (holds ? yes : no);
const nearest = (x: number): number => {
  const down = Math.floor(x);
  const up = x - down > 0.5 || (x - down === 0.5 && down % 2 !== 0);
  return up ? down + 1 : x === 0 ? x : down;
};

type Model = (a: Uint8Array, b: Uint8Array, c: Uint8Array) => Uint8Array;

/** Of vectors alone, by name; those with floats get floats. */
const VECTORS: { readonly [name: string]: Model } = {
  wasm_i8x16_swizzle: (a, b) => b.map((i) => (i < 16 ? a[i]! : 0)),
  wasm_i8x16_eq: lanes(Int8Array, (a, b) => mask(a === b)),
  wasm_v128_not: bits((a) => ~a),
  wasm_v128_and: bits((a, b) => a & b),
  wasm_v128_andnot: bits((a, b) => a & ~b),
  wasm_v128_or: bits((a, b) => a | b),
  wasm_v128_xor: bits((a, b) => a ^ b),
  wasm_v128_bitselect: bits((a, b, c) => (a & c) | (b & ~c)),
  wasm_i8x16_narrow_i16x8: narrow(Int16Array, Int8Array, -128, 127),
  wasm_u8x16_narrow_i16x8: narrow(Int16Array, Uint8Array, 0, 255),
  wasm_i8x16_add: lanes(Int8Array, (a, b) => a + b),
  wasm_i8x16_sub: lanes(Int8Array, (a, b) => a - b),
  wasm_i32x4_extadd_pairwise_i16x8: (a) => bytesOf(Int32Array.from(pairs(view(Int16Array, a)))),
  wasm_i16x8_narrow_i32x4: narrow(Int32Array, Int16Array, -32768, 32767),
  wasm_i16x8_extend_low_i8x16: extend(Int8Array, Int16Array, false),
  wasm_i16x8_extend_high_i8x16: extend(Int8Array, Int16Array, true),
  wasm_u16x8_extend_low_u8x16: extend(Uint8Array, Uint16Array, false),
  wasm_i16x8_add: lanes(Int16Array, (a, b) => a + b),
  wasm_i16x8_sub: lanes(Int16Array, (a, b) => a - b),
  wasm_i16x8_mul: lanes(Int16Array, (a, b) => Math.imul(a, b)),
  wasm_i16x8_max: lanes(Int16Array, (a, b) => Math.max(a, b)),
  wasm_i32x4_extend_low_i16x8: extend(Int16Array, Int32Array, false),
  wasm_i32x4_extend_high_i16x8: extend(Int16Array, Int32Array, true),
  wasm_u32x4_extend_low_u16x8: extend(Uint16Array, Int32Array, false),
  wasm_i32x4_add: lanes(Int32Array, (a, b) => a + b),
  wasm_i32x4_sub: lanes(Int32Array, (a, b) => a - b),
  wasm_i32x4_mul: lanes(Int32Array, (a, b) => Math.imul(a, b)),
  wasm_i32x4_dot_i16x8: (a, b) => {
    const y = view(Int16Array, b);
    return bytesOf(Int32Array.from(pairs([...view(Int16Array, a)].map((v, i) => v * y[i]!))));
  },
  wasm_f32x4_convert_i32x4: lanes(Int32Array, (a) => a, Float32Array),
};

const FLOAT_VECTORS: { readonly [name: string]: Model } = {
  wasm_f32x4_eq: asMask((a, b) => a === b),
  wasm_f32x4_lt: asMask((a, b) => a < b),
  wasm_f32x4_le: asMask((a, b) => a <= b),
  wasm_f32x4_ceil: lanes(Float32Array, Math.ceil),
  wasm_f32x4_floor: lanes(Float32Array, Math.floor),
  wasm_f32x4_nearest: lanes(Float32Array, nearest),
  wasm_f32x4_abs: lanes(Float32Array, Math.abs),
  wasm_f32x4_neg: lanes(Float32Array, (a) => -a),
  wasm_f32x4_add: lanes(Float32Array, (a, b) => a + b),
  wasm_f32x4_sub: lanes(Float32Array, (a, b) => a - b),
  wasm_f32x4_mul: lanes(Float32Array, (a, b) => a * b),
  wasm_f32x4_div: lanes(Float32Array, (a, b) => a / b),
  wasm_f32x4_pmin: lanes(Float32Array, (a, b) => pick(b < a, b, a)),
  wasm_f32x4_pmax: lanes(Float32Array, (a, b) => pick(a < b, b, a)),
  wasm_i32x4_trunc_sat_f32x4: lanes(Float32Array, Math.trunc, Int32Array),
};

/** The result of C for operands that lie one behind another. */
function resultOf(body: string, operands: readonly ArrayBufferView[]): Uint8Array {
  const source = `void f(const u8 *p, u8 *out) {
    const v128_t a = wasm_v128_load(p), b = wasm_v128_load(p + 16), c = wasm_v128_load(p + 32); ${body} }`;
  const { exports, bytes, heap } = instantiate(compileC(source, ['f']));
  for (const [i, o] of operands.entries()) bytes.set(bytesOf(o), heap + 16 * i);
  exports.f!(heap, heap + 64);
  return bytes.slice(heap + 64, heap + 80);
}

const NAN_LANES = (bytes: Uint8Array): string =>
  [...view(Float32Array, bytes)].map((x) => (Object.is(x, -0) ? '-0' : x)).join();

for (const [name, model] of Object.entries(VECTORS)) {
  test(name, () => {
    const count = signatureOf(name)!.parameters.length;
    const got = resultOf(`wasm_v128_store(out, ${name}(${['a', 'b', 'c'].slice(0, count).join()}));`, [A, B, C]);
    assert.equal([...got], [...model(A, B, C)]);
  });
}

for (const [name, model] of Object.entries(FLOAT_VECTORS)) {
  test(name, () => {
    const count = signatureOf(name)!.parameters.length;
    const got = resultOf(`wasm_v128_store(out, ${name}(${['a', 'b'].slice(0, count).join()}));`, [FLOATS, OTHERS, C]);
    const wanted = model(bytesOf(FLOATS), bytesOf(OTHERS), C);
    if (/_(eq|lt|le)$|^wasm_i32/.test(name)) assert.equal([...got], [...wanted]);
    else assert.is(NAN_LANES(got), NAN_LANES(wanted));
  });
}

test('wasm_f32x4_sqrt', () => {
  const got = resultOf('wasm_v128_store(out, wasm_f32x4_sqrt(a));', [Float32Array.of(4, 2, 0.25, 1e10), B, C]);
  assert.equal(
    [...view(Float32Array, got)],
    [4, 2, 0.25, 1e10].map((x) => Math.fround(Math.sqrt(x))),
  );
});

const SHIFTS: { readonly [name: string]: Model } = {
  wasm_i8x16_shl: lanes(Int8Array, (a) => a << 3),
  wasm_u8x16_shr: lanes(Uint8Array, (a) => a >> 3),
  wasm_u16x8_shr: lanes(Uint16Array, (a) => a >> 3),
  wasm_i32x4_shl: lanes(Int32Array, (a) => a << 3),
  wasm_i32x4_shr: lanes(Int32Array, (a) => a >> 3),
};

for (const [name, model] of Object.entries(SHIFTS)) {
  test(name, () => {
    const got = resultOf(`wasm_v128_store(out, ${name}(a, 3));`, [A, B, C]);
    assert.equal([...got], [...model(A, B, C)]);
  });
}

const word = (x: number): number[] => [...bytesOf(Int32Array.of(x))];
const zeros = (n: number): number[] => Array<number>(n).fill(0);

/** What is stored by each, after `out` was all zeros. */
const OTHERS_BY_NAME: { readonly [name: string]: readonly [body: string, wanted: readonly number[]] } = {
  wasm_i8x16_bitmask: ['*(u32 *)out = wasm_i8x16_bitmask(a);', [...word(0b0011000110001010), ...zeros(12)]],
  wasm_v128_load: ['wasm_v128_store(out, wasm_v128_load(p + 1));', [...A.slice(1), B[0]!]],
  wasm_i16x8_load8x8: [
    'wasm_v128_store(out, wasm_i16x8_load8x8(p));',
    [...bytesOf(Int16Array.from(view(Int8Array, A).slice(0, 8)))],
  ],
  wasm_u32x4_load16x4: [
    'wasm_v128_store(out, wasm_u32x4_load16x4(p));',
    [...bytesOf(Int32Array.from(view(Uint16Array, A).slice(0, 4)))],
  ],
  wasm_v128_load32_splat: [
    'wasm_v128_store(out, wasm_v128_load32_splat(p + 16));',
    [0, 1, 2, 3].flatMap(() => [...B.slice(0, 4)]),
  ],
  wasm_v128_load32_zero: ['wasm_v128_store(out, wasm_v128_load32_zero(p));', [...A.slice(0, 4), ...zeros(12)]],
  wasm_v128_store: ['wasm_v128_store(out, b);', [...B]],
  wasm_v128_store32_lane: ['wasm_v128_store32_lane(out + 4, a, 2);', [...zeros(4), ...A.slice(8, 12), ...zeros(8)]],
  wasm_v128_store64_lane: ['wasm_v128_store64_lane(out, a, 1);', [...A.slice(8), ...zeros(8)]],
  wasm_i32x4_extract_lane: ['*(i32 *)out = wasm_i32x4_extract_lane(a, 3);', [...A.slice(12), ...zeros(12)]],
  wasm_f32x4_extract_lane: ['*(float *)out = wasm_f32x4_extract_lane(b, 1);', [...B.slice(4, 8), ...zeros(12)]],
  wasm_i8x16_shuffle: [
    'wasm_v128_store(out, wasm_i8x16_shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 31, 15, 30, 14, 29, 13, 28, 12));',
    [0, 16, 1, 17, 2, 18, 3, 19, 31, 15, 30, 14, 29, 13, 28, 12].map((i) => [...A, ...B][i]!),
  ],
  wasm_i16x8_shuffle: [
    'wasm_v128_store(out, wasm_i16x8_shuffle(a, b, 0, 8, 1, 9, 2, 10, 3, 15));',
    [0, 8, 1, 9, 2, 10, 3, 15].flatMap((i) => [...A, ...B].slice(2 * i, 2 * i + 2)),
  ],
  wasm_i32x4_shuffle: [
    'wasm_v128_store(out, wasm_i32x4_shuffle(a, b, 7, 0, 4, 3));',
    [7, 0, 4, 3].flatMap((i) => [...A, ...B].slice(4 * i, 4 * i + 4)),
  ],
  wasm_i8x16_splat: ['wasm_v128_store(out, wasm_i8x16_splat((i8)(p[1] + 1)));', zeros(16)],
  wasm_i16x8_splat: ['wasm_v128_store(out, wasm_i16x8_splat(-2));', [...bytesOf(new Int16Array(8).fill(-2))]],
  wasm_i32x4_splat: [
    'wasm_v128_store(out, wasm_i32x4_splat(*(const i32 *)p));',
    [0, 1, 2, 3].flatMap(() => [...A.slice(0, 4)]),
  ],
  wasm_f32x4_splat: ['wasm_v128_store(out, wasm_f32x4_splat(p[5]));', [...bytesOf(new Float32Array(4).fill(2))]],
  wasm_i32x4_make: [
    'wasm_v128_store(out, wasm_i32x4_make(1, p[1], -3, p[2]));',
    [...bytesOf(Int32Array.of(1, 255, -3, 127))],
  ],
  wasm_f32x4_make: [
    'wasm_v128_store(out, wasm_f32x4_make(1.5f, -0.0f, 3.0f, 4.0f));',
    [...bytesOf(Float32Array.of(1.5, -0, 3, 4))],
  ],
  __builtin_clz: ['*(i32 *)out = __builtin_clz(p[5]);', [...word(30), ...zeros(12)]],
  __builtin_ctz: ['*(i32 *)out = __builtin_ctz(p[5]);', [...word(1), ...zeros(12)]],
  __builtin_popcount: ['*(i32 *)out = __builtin_popcount(p[2]);', [...word(7), ...zeros(12)]],
  __builtin_fabsf: ['*(float *)out = __builtin_fabsf(-1.5f - p[0]);', [...bytesOf(Float32Array.of(1.5)), ...zeros(12)]],
  __builtin_ceilf: ['*(float *)out = __builtin_ceilf(p[6] + 0.25f);', [...bytesOf(Float32Array.of(4)), ...zeros(12)]],
  __builtin_floorf: ['*(float *)out = __builtin_floorf(p[6] + 0.25f);', [...bytesOf(Float32Array.of(3)), ...zeros(12)]],
  __builtin_sqrtf: ['*(float *)out = __builtin_sqrtf(p[15]);', [...bytesOf(Float32Array.of(8)), ...zeros(12)]],
  __builtin_inff: ['*(float *)out = -__builtin_inff();', [0, 0, 0x80, 0xff, ...zeros(12)]],
  __builtin_nanf: ['*(float *)out = __builtin_nanf("");', [0, 0, 0xc0, 0x7f, ...zeros(12)]],
  __builtin_memcpy: [
    '__builtin_memcpy(out, p, 7); __builtin_memcpy(out + 8, p + 8, p[5]);',
    [...A.slice(0, 7), 0, ...A.slice(8, 10), ...zeros(6)],
  ],
  __builtin_memset: [
    '__builtin_memset(out, 7, 5); __builtin_memset(out + 8, p[4], p[6]);',
    [...Array(5).fill(7), ...zeros(3), 1, 1, 1, ...zeros(5)],
  ],
};

for (const [name, [body, wanted]] of Object.entries(OTHERS_BY_NAME)) {
  test(name, () => {
    assert.equal([...resultOf(body, [A, B, C])], [...wanted]);
  });
}

const RELAXED = [
  'wasm_i8x16_relaxed_swizzle',
  'wasm_i16x8_relaxed_dot_i8x16_i7x16',
  'wasm_i32x4_relaxed_dot_i8x16_i7x16_add',
];

test('relaxed instructions, some of which Node 20 computes wrongly, are known to the engine', () => {
  for (const name of RELAXED) {
    const args = ['a', 'b', 'c'].slice(0, signatureOf(name)!.parameters.length).join();
    const source = `void f(const u8 *p, u8 *o) { v128_t a = wasm_v128_load(p), b = a, c = a; wasm_v128_store(o, ${name}(${args})); }`;
    instantiate(compileC(source, ['f']));
  }
});

test('every function that the vector header names is there, and tested here', () => {
  const named = new Set([...WASM_SIMD_HEADER.matchAll(/\b(?:wasm|__builtin)_\w+/g)].map(([name]) => name));
  named.delete('wasm_simd128');
  const tested = new Set([
    ...Object.keys({ ...VECTORS, ...FLOAT_VECTORS, ...SHIFTS, ...OTHERS_BY_NAME }),
    ...RELAXED,
    'wasm_f32x4_sqrt',
  ]);
  for (const name of named) {
    assert.ok(intrinsicOf(name), name);
    assert.ok(tested.has(name), name);
  }
});

test.run();
