import type { KernelOf } from '../../../ir/kernel.ts';
import type { Lowered } from '../../lower.ts';
import { type KernelContext, type KernelText, share } from './context.ts';
import { widened } from './lanes.ts';
import { type Transposed, tapsOfPixel, transposedOf } from './transposed.ts';

/** Transposed convolution. */
export function emitConvTranspose(ctx: KernelContext, l: Lowered<KernelOf<'convtranspose'>>): KernelText {
  const t = transposedOf(ctx, l);
  const { strides, pads, dilations, groups } = l.spec;
  const apart = t.kh === strides[0] && t.kw === strides[1] && pads.every((p) => p === 0);
  return apart && dilations.every((d) => d === 1) && groups === 1 ? product(ctx, t) : gathered(ctx, t);
}

/** Pixels at a time. */
const PIXELS = [0, 1, 2, 3] as const;

/**
 * Where the outputs of two pixels do not meet: a product of the pixels, as rows, with the filters [channel][ky][kx][output]; a row of the result is
 * `kh` pieces of lines of the output.
 */
function product(ctx: KernelContext, t: Transposed): KernelText {
  const { images, h, w: width, c, kh, kw, o } = t;
  const piece = kw * o;
  const columns = kh * piece;
  const widest = ctx.tuning.wide?.lanes ?? 4;
  const lanes = columns % (2 * widest) === 0 && piece % widest === 0 ? widest : 4;
  const vectors = columns > 4 ? [0, 1] : [0];
  const block = lanes * vectors.length;
  const src = ctx.read(t.x);
  const filter = ctx.read(t.filters);
  const start = `((float *)${ctx.scratch((columns + block) * 4)})`;
  const init = t.bias ? `${ctx.read(t.bias)}[n % ${o}]` : '0.0f';
  const line = width * piece;
  const each = (text: (r: number, v: number) => string): string =>
    PIXELS.flatMap((r) => vectors.map((v) => text(r, v))).join(' ');
  const at = (r: number, v: number): string =>
    `o${r} + (n + ${v * lanes}) / ${piece} * ${line} + (n + ${v * lanes}) % ${piece}`;
  // Vectors that reach into the next piece go one element after another.
  const whole = piece % lanes === 0;
  const store = whole
    ? each((r, v) => `f4_store(${at(r, v)}, c${r}${v});`)
    : `float t[${block}]; ${PIXELS.map((r) => `${vectors.map((v) => `f4_store(t + ${v * lanes}, c${r}${v});`).join(' ')} for (i32 k = 0; k < ${block} && n + k < ${columns}; k++) o${r}[(n + k) / ${piece} * ${line} + (n + k) % ${piece}] = t[k];`).join(' ')}`;
  // Without a short last tile, one pointer is moved for all pixels.
  const together = (images * h * width) % PIXELS.length === 0;
  const moved = together ? ['x0'] : PIXELS.map((r) => `x${r}`);
  const pixel = (r: number): string => (together ? `x0 + ${r * c}` : `x${r}`);
  const tile = `for (i32 n = 0; n < ${columns}; n += ${block}) {
      const float *f = ${filter} + n, *const end = f + ${c * columns}; ${moved.map((x, r) => `const float *${x} = a${r};`).join(' ')}
      ${each((r, v) => `f4 c${r}${v} = f4_load(${start} + n + ${v * lanes});`)}
      do {
        EW_POINTER(f); EW_POINTER(x0);
        ${vectors.map((v) => `const f4 b${v} = f4_load(f + ${v * lanes});`).join(' ')} f += ${columns};
        ${PIXELS.map((r) => `{ const f4 s = f4_load_splat(${pixel(r)}); ${vectors.map((v) => `c${r}${v} = f4_add(c${r}${v}, f4_mul(s, b${v}));`).join(' ')} }`).join('\n        ')}
        ${moved.map((x) => `${x}++;`).join(' ')}
      } while (f != end);
      ${store}
    }`;
  const body = `${share(images * h * width, PIXELS.length, 'm0', 'm1')}
  for (i32 n = 0; n < ${columns}; n++) ${start}[n] = ${init};
  for (i32 m = m0; m < m1; m += ${PIXELS.length}) {
    ${PIXELS.map((r) => `const i32 at${r} = m + ${r} < m1 ? m + ${r} : m1 - 1; const float *a${r} = ${src} + at${r} * ${c}; float *o${r} = ${ctx.write(t.y)} + at${r} / ${width} * ${kh * line} + at${r} % ${width} * ${piece};`).join('\n    ')}
    ${lanes > 4 ? widened(tile) : tile}
  }`;
  return { helpers: '', body, macs: t.macs };
}

/** Every output pixel sums the taps that reach it. */
function gathered(ctx: KernelContext, t: Transposed): KernelText {
  const { kh, kw, c, cg, og, o } = t;
  const rows = t.images * t.oh * t.ow;
  const src = ctx.read(t.x);
  const filter = ctx.read(t.filters);
  const b = t.bias ? ctx.read(t.bias) : '';
  const vec = og % 4 === 0;
  const inner = vec
    ? `for (; j + 4 <= ${og}; j += 4) f4_store(d + j, f4_add(f4_load(d + j), f4_mul(f4_splat(v), f4_load(f + j))));`
    : `for (; j < ${og}; j++) d[j] = d[j] + v * f[j];`;
  const each = `for (i32 i = 0; i < ${c}; i++) { const float v = s[i]; const float *f = ${filter} + ((i * ${kh} + ky) * ${kw} + kx) * ${og}; float *d = out + i / ${cg} * ${og}; i32 j = 0; ${inner} }`;
  const body = `${share(rows, 1, 'r0', 'r1')}
  for (i32 row = r0; row < r1; row++) {
    float *out = ${ctx.write(t.y)} + row * ${o};
    for (i32 j = 0; j < ${o}; j++) out[j] = ${b ? `${b}[j]` : '0.0f'};
    ${tapsOfPixel(t, src, each)}
  }`;
  return { helpers: '', body, macs: t.macs };
}
