import { writeFile } from 'node:fs/promises';
import { deflateRawSync } from 'node:zlib';
import { wasmTarget } from '../targets/wasm/index.ts';
import { WASM_SIMD_HEADER } from '../targets/wasm/simd.ts';
import { buildWasm } from '../targets/wasm/toolchain.ts';

/**
 * Builds the module with which the WebAssembly engine finds out at start-up whether this machine computes the relaxed dot product
 * rightly, and whether it is faster than the plain one, with sums in 32 bits or in 16 bits first. Run it when the text below changes.
 */
const SOURCE = `${WASM_SIMD_HEADER}
/* how many sums of products of full-range a with w of a type are wrong, in lanes that go on for all rounds, as those of kernels do; w < 128 where it is to have 7 bits */
#define WRONG(name, sum, type, most) i32 name(i32 rounds) { \\
  i32 bad = 0, want[4]; i4 c = i4_make(1000, 2000, 3000, 4000); i4_store(want, c); \\
  for (i32 r = 0; r < rounds; r++) { \\
    i8 a[16]; type w[16]; i32 got[4]; \\
    for (i32 i = 0; i < 16; i++) { a[i] = (i8)((i * 37 + r * 11) & 255); w[i] = (type)((i * 53 + r * 29) & most); } \\
    a[0] = a[1] = -128; w[0] = w[1] = (type)most; a[4] = a[5] = 127; w[4] = w[5] = (type)most; \\
    a[8] = a[9] = a[10] = a[11] = -128; w[8] = w[9] = w[10] = w[11] = (type)(most & 128 ? 128 : most); \\
    c = sum(b16_load(a), b16_load(w), c); i4_store(got, c); \\
    for (i32 i = 0; i < 4; i++) { for (i32 j = 0; j < 4; j++) want[i] += a[4 * i + j] * w[4 * i + j]; bad += want[i] != got[i]; } \\
  } \\
  return bad; \\
}
#define CHAINED(a, w, c) i4_add_pairs((c), h8_dot7((a), (w)))
/* the same where products of a with w of 8 bits without a sign add up to what fits 16 bits, two at a time */
i32 ew_wrong_fitting(i32 rounds) {
  i32 bad = 0, want[4]; i4 c = i4_make(1000, 2000, 3000, 4000); i4_store(want, c);
  for (i32 r = 0; r < rounds; r++) {
    i8 a[16]; u8 w[16]; i32 got[4];
    for (i32 i = 0; i < 16; i++) { a[i] = (i8)(((i * 37 + r * 11) & 127) - 64); w[i] = (u8)((i * 53 + r * 29) & 255); }
    a[0] = -128; a[1] = 0; a[4] = 127; a[5] = 1; a[8] = a[9] = -64; a[12] = a[13] = 64; w[0] = w[4] = w[5] = w[8] = w[9] = w[12] = w[13] = 255;
    c = CHAINED(b16_load(a), b16_load(w), c); i4_store(got, c);
    for (i32 i = 0; i < 4; i++) { for (i32 j = 0; j < 4; j++) want[i] += a[4 * i + j] * w[4 * i + j]; bad += want[i] != got[i]; }
  }
  return bad;
}
WRONG(ew_wrong, b16_dot7, u8, 127)
WRONG(ew_wrong_chained, CHAINED, u8, 127)
WRONG(ew_wrong_unsigned, b16_dot7, u8, 255)
WRONG(ew_wrong_signed, b16_dot7, i8, 255)
/* what the loops below with the relaxed dot product return for one round; their operands are 1024 bytes of a, and 2048 of w, at the same place */
i32 ew_sum(const i8 *p) {
  i32 sum = 0;
  for (i32 k = 0; k < 256; k += 4) for (i32 m = 0; m < 4; m++) for (i32 n = 0; n < 8; n++) for (i32 i = 0; i < 4; i++) sum += p[256 * m + k + i] * p[8 * k + 4 * n + i];
  return sum;
}
/* the inner loops of the product kernels, over the same number of multiplications */
i32 ew_time_dot7(const u8 *p, i32 rounds) {
  i4 c0 = i4_splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (i32 r = 0; r < rounds; r++) {
    const u8 *b = p;
    for (i32 k = 0; k < 256; k += 4, b += 32) {
      b16 b0 = b16_load(b), b1 = b16_load(b + 16), s0 = b16_load_splat4(p + k), s1 = b16_load_splat4(p + k + 256), s2 = b16_load_splat4(p + k + 512), s3 = b16_load_splat4(p + k + 768);
      c0 = b16_dot7(s0, b0, c0); c1 = b16_dot7(s0, b1, c1); c2 = b16_dot7(s1, b0, c2); c3 = b16_dot7(s1, b1, c3);
      c4 = b16_dot7(s2, b0, c4); c5 = b16_dot7(s2, b1, c5); c6 = b16_dot7(s3, b0, c6); c7 = b16_dot7(s3, b1, c7);
    }
  }
  i4 t = i4_add(i4_add(i4_add(c0, c1), i4_add(c2, c3)), i4_add(i4_add(c4, c5), i4_add(c6, c7)));
  return i4_lane(t, 0) + i4_lane(t, 1) + i4_lane(t, 2) + i4_lane(t, 3);
}
#define CHAIN(set) { b16 b0 = b16_load(b), b1 = b16_load(b + 16), a0 = b16_load_splat4(p + k), a1 = b16_load_splat4(p + k + 256), a2 = b16_load_splat4(p + k + 512), a3 = b16_load_splat4(p + k + 768); \\
  set(s0, h8_dot7(a0, b0)); set(s1, h8_dot7(a0, b1)); set(s2, h8_dot7(a1, b0)); set(s3, h8_dot7(a1, b1)); \\
  set(s4, h8_dot7(a2, b0)); set(s5, h8_dot7(a2, b1)); set(s6, h8_dot7(a3, b0)); set(s7, h8_dot7(a3, b1)); b += 32; k += 4; }
#define FIRST(s, v) s = (v)
#define MORE(s, v) s = h8_add(s, (v))
/* chains of eight steps: most tiles allow as many */
i32 ew_time_chained(const u8 *p, i32 rounds) {
  i4 c0 = i4_splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (i32 r = 0; r < rounds; r++) {
    const u8 *b = p;
    for (i32 k = 0; k < 256;) {
      h8 s0, s1, s2, s3, s4, s5, s6, s7;
      CHAIN(FIRST)
      EW_ROLLED while (k & 31) CHAIN(MORE)
      c0 = i4_add_pairs(c0, s0); c1 = i4_add_pairs(c1, s1); c2 = i4_add_pairs(c2, s2); c3 = i4_add_pairs(c3, s3);
      c4 = i4_add_pairs(c4, s4); c5 = i4_add_pairs(c5, s5); c6 = i4_add_pairs(c6, s6); c7 = i4_add_pairs(c7, s7);
    }
  }
  i4 t = i4_add(i4_add(i4_add(c0, c1), i4_add(c2, c3)), i4_add(i4_add(c4, c5), i4_add(c6, c7)));
  return i4_lane(t, 0) + i4_lane(t, 1) + i4_lane(t, 2) + i4_lane(t, 3);
}
i32 ew_time_i16(const u8 *p, i32 rounds) {
  i4 c0 = i4_splat(0), c1 = c0, c2 = c0, c3 = c0, c4 = c0, c5 = c0, c6 = c0, c7 = c0;
  for (i32 r = 0; r < rounds; r++) {
    const u8 *b = p;
    for (i32 k = 0; k < 512; k += 4, b += 32) {
      h8 b0 = h8_load(b), b1 = h8_load(b + 16), s0 = h8_load_splat2(p + k), s1 = h8_load_splat2(p + k + 512), s2 = h8_load_splat2(p + k + 1024), s3 = h8_load_splat2(p + k + 1536);
      c0 = i4_add(c0, h8_dot(s0, b0)); c1 = i4_add(c1, h8_dot(s0, b1)); c2 = i4_add(c2, h8_dot(s1, b0)); c3 = i4_add(c3, h8_dot(s1, b1));
      c4 = i4_add(c4, h8_dot(s2, b0)); c5 = i4_add(c5, h8_dot(s2, b1)); c6 = i4_add(c6, h8_dot(s3, b0)); c7 = i4_add(c7, h8_dot(s3, b1));
    }
  }
  i4 t = i4_add(i4_add(i4_add(c0, c1), i4_add(c2, c3)), i4_add(i4_add(c4, c5), i4_add(c6, c7)));
  return i4_lane(t, 0) + i4_lane(t, 1) + i4_lane(t, 2) + i4_lane(t, 3);
}
`;

const dot7 = wasmTarget.variants.find((v) => v.id === 'dot7')!;
const small = { ...dot7, flags: [...dot7.flags, '-Os'] };
const { bytes } = await buildWasm(SOURCE, small, [
  'ew_wrong',
  'ew_wrong_chained',
  'ew_wrong_fitting',
  'ew_wrong_unsigned',
  'ew_wrong_signed',
  'ew_sum',
  'ew_time_dot7',
  'ew_time_chained',
  'ew_time_i16',
]);
const base64 = deflateRawSync(bytes, { level: 9 }).toString('base64');
const lines = base64.match(/.{1,140}/g) ?? [];
await writeFile(
  new URL('../sdk/device/engine/probe-module.ts', import.meta.url),
  `/** WebAssembly module of tools/generate-probe.ts, deflated, base64. */\nexport const PROBE_MODULE =\n${lines.map((l) => `  '${l}'`).join(' +\n')};\n`,
);
