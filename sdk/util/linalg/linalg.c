/*
 * Dense linear algebra of the compressor in WebAssembly SIMD. Threads share the work by rows or columns of the result (linalg.ts), so
 * every function computes an element in the same order whatever part of the result it is called for. Every product has the form
 * C[i][j] += alpha * sum_r A[r][i] * B[r][j] (row-major, r the depth), so that one tile kernel per precision does all.
 * Tiles are 4 rows x 2 vectors: 8 accumulators and 6 loads fill the 15 registers that V8 can keep.
 * tools/generate-linalg.ts compiles this file into wasm.ts.
 */
#include <wasm_simd128.h>
typedef signed char i8;
typedef int i32;
typedef unsigned u32;
#define API(name) __attribute__((export_name(#name)))
#define INLINE static inline __attribute__((always_inline))
#define DEPTH 256
#define ROWS 64

INLINE i32 min_i(i32 a, i32 b) { return a < b ? a : b; }
INLINE i32 max_i(i32 a, i32 b) { return a > b ? a : b; }

/*
 * Defines NAME(c, ldc, a, lda, ta, b, ldb, m, n, depth, alpha, upper, scratch). ta: A is stored [m][depth] instead of
 * [depth][m]. upper: 0, or 1 + the number of the first row; then tiles wholly below the diagonal are left alone. scratch:
 * DEPTH * (ROWS + 8) elements.
 */
#define PRODUCT(NAME, T, V, LANES, LOAD, STORE, SPLAT, ADD, MUL)                                                      \
  INLINE void NAME##_tile(T *c, i32 ldc, const T *pa, const T *pb, i32 d, i32 mv, i32 nv, T alpha) {                   \
    V a00 = SPLAT(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;                      \
    for (i32 r = 0; r < d; r++) {                                                                                      \
      V b0 = LOAD(pb), b1 = LOAD(pb + LANES);                                                                          \
      V s0 = SPLAT(pa[0]), s1 = SPLAT(pa[1]), s2 = SPLAT(pa[2]), s3 = SPLAT(pa[3]);                                     \
      a00 = ADD(a00, MUL(s0, b0)); a01 = ADD(a01, MUL(s0, b1));                                                        \
      a10 = ADD(a10, MUL(s1, b0)); a11 = ADD(a11, MUL(s1, b1));                                                        \
      a20 = ADD(a20, MUL(s2, b0)); a21 = ADD(a21, MUL(s2, b1));                                                        \
      a30 = ADD(a30, MUL(s3, b0)); a31 = ADD(a31, MUL(s3, b1));                                                        \
      pa += 4; pb += 2 * LANES;                                                                                        \
    }                                                                                                                  \
    T t[4][2 * LANES];                                                                                                 \
    STORE(t[0], a00); STORE(t[0] + LANES, a01); STORE(t[1], a10); STORE(t[1] + LANES, a11);                             \
    STORE(t[2], a20); STORE(t[2] + LANES, a21); STORE(t[3], a30); STORE(t[3] + LANES, a31);                             \
    for (i32 i = 0; i < mv; i++) for (i32 j = 0; j < nv; j++) c[i * ldc + j] += alpha * t[i][j];                        \
  }                                                                                                                    \
  API(NAME) void NAME(T *c, i32 ldc, const T *a, i32 lda, i32 ta, const T *b, i32 ldb, i32 m, i32 n, i32 depth,         \
                      T alpha, i32 upper, T *scratch) {                                                                \
    T *pa = scratch, *pb = scratch + DEPTH * ROWS;                                                                     \
    for (i32 r0 = 0; r0 < depth; r0 += DEPTH) {                                                                        \
      i32 d = min_i(DEPTH, depth - r0);                                                                                \
      for (i32 i0 = 0; i0 < m; i0 += ROWS) {                                                                           \
        i32 rows = min_i(ROWS, m - i0);                                                                                \
        for (i32 i = 0; i < rows; i += 4)                                                                              \
          for (i32 r = 0; r < d; r++)                                                                                  \
            for (i32 k = 0; k < 4; k++) {                                                                              \
              i32 row = i0 + i + k;                                                                                    \
              pa[i * d + r * 4 + k] =                                                                                  \
                  i + k >= rows ? 0 : ta ? a[(long)row * lda + r0 + r] : a[(long)(r0 + r) * lda + row];                 \
            }                                                                                                          \
        i32 first = upper ? (upper - 1 + i0) / (2 * LANES) * (2 * LANES) : 0;                                          \
        for (i32 j = first; j < n; j += 2 * LANES) {                                                                   \
          i32 nv = min_i(2 * LANES, n - j);                                                                            \
          const T *src = b + (long)r0 * ldb + j;                                                                       \
          if (nv == 2 * LANES)                                                                                         \
            for (i32 r = 0; r < d; r++) {                                                                              \
              STORE(pb + r * 2 * LANES, LOAD(src)); STORE(pb + r * 2 * LANES + LANES, LOAD(src + LANES)); src += ldb;   \
            }                                                                                                          \
          else                                                                                                         \
            for (i32 r = 0; r < d; r++) for (i32 k = 0; k < 2 * LANES; k++)                                            \
              pb[r * 2 * LANES + k] = k < nv ? src[(long)r * ldb + k] : 0;                                             \
          for (i32 i = 0; i < rows; i += 4) {                                                                          \
            if (upper && j + 2 * LANES <= upper - 1 + i0 + i) continue;                                                \
            NAME##_tile(c + (long)(i0 + i) * ldc + j, ldc, pa + i * d, pb, d, min_i(4, rows - i), nv, alpha);           \
          }                                                                                                            \
        }                                                                                                              \
      }                                                                                                                \
    }                                                                                                                  \
  }

PRODUCT(product32, float, v128_t, 4, wasm_v128_load, wasm_v128_store, wasm_f32x4_splat, wasm_f32x4_add, wasm_f32x4_mul)
PRODUCT(product64, double, v128_t, 2, wasm_v128_load, wasm_v128_store, wasm_f64x2_splat, wasm_f64x2_add, wasm_f64x2_mul)

/* `count` products of the same operands' next `depth` rows, one after another, as product32 does each. */
API(products32) void products32(float *c, i32 ldc, const float *a, i32 lda, const float *b, i32 ldb, i32 m, i32 n, i32 depth,
                                i32 upper, i32 count, float *scratch) {
  for (i32 i = 0; i < count; i++, a += (long)depth * lda, b += (long)depth * ldb)
    product32(c, ldc, a, lda, 0, b, ldb, m, n, depth, 1, upper, scratch);
}

/* a[0..n) += alpha * b[0..n) */
INLINE void axpy64(double *a, const double *b, i32 n, double alpha) {
  v128_t s = wasm_f64x2_splat(alpha);
  i32 i = 0;
  for (; i + 2 <= n; i += 2)
    wasm_v128_store(a + i, wasm_f64x2_add(wasm_v128_load(a + i), wasm_f64x2_mul(s, wasm_v128_load(b + i))));
  for (; i < n; i++) a[i] += alpha * b[i];
}
INLINE void axpy32(float *a, const float *b, i32 n, float alpha) {
  v128_t s = wasm_f32x4_splat(alpha);
  i32 i = 0;
  for (; i + 4 <= n; i += 4)
    wasm_v128_store(a + i, wasm_f32x4_add(wasm_v128_load(a + i), wasm_f32x4_mul(s, wasm_v128_load(b + i))));
  for (; i < n; i++) a[i] += alpha * b[i];
}

/*
 * Upper Cholesky factor in place, M = U^T U: the upper triangle of M [k][k] is read and replaced, the rest is not touched. Rows come in
 * blocks of ROWS; of every block, the columns on the diagonal come first, then all to the right of them.
 */

/* Row block b on the diagonal, with the reciprocals of its pivots. Returns 0, or 1 + the index of the first pivot that is not positive. */
API(choleskyDiagonal) i32 choleskyDiagonal(double *m, i32 k, i32 b, double *inverse, double *scratch) {
  i32 w = min_i(ROWS, k - b);
  double *row = m + (long)b * k + b;
  product64(row, k, m + b, k, 0, m + b, k, w, w, b, -1.0, 1, scratch);
  for (i32 i = 0; i < w; i++) {
    double *ri = row + (long)i * k;
    for (i32 r = 0; r < i; r++) axpy64(ri + i, row + (long)r * k + i, w - i, -row[(long)r * k + i]);
    double pivot = ri[i];
    if (!(pivot > 0)) return 1 + b + i;
    inverse[i] = 1.0 / __builtin_sqrt(pivot);
    for (i32 j = i; j < w; j++) ri[j] *= inverse[i];
  }
  return 0;
}

/* Columns [from, to) of row block b, to the right of the diagonal. */
API(choleskyColumns) void choleskyColumns(double *m, i32 k, i32 b, i32 from, i32 to, const double *inverse, double *scratch) {
  i32 w = min_i(ROWS, k - b), n = to - from;
  double *diagonal = m + (long)b * k + b, *row = m + (long)b * k + from;
  product64(row, k, m + b, k, 0, m + from, k, w, n, b, -1.0, 0, scratch);
  for (i32 i = 0; i < w; i++) {
    double *ri = row + (long)i * k;
    for (i32 r = 0; r < i; r++) axpy64(ri, row + (long)r * k, n, -diagonal[(long)r * k + i]);
    for (i32 j = 0; j < n; j++) ri[j] *= inverse[i];
  }
}

/* Solves U^T U X = B in place; X [k][n], rows ldx apart. */
API(solve) void solve(const double *u, i32 k, double *x, i32 ldx, i32 n, double *scratch) {
  for (i32 b = 0; b < k; b += ROWS) {
    i32 w = min_i(ROWS, k - b);
    product64(x + (long)b * ldx, ldx, u + b, k, 0, x, ldx, w, n, b, -1.0, 0, scratch);
    for (i32 j = b; j < b + w; j++) {
      double *xj = x + (long)j * ldx, inv = 1.0 / u[(long)j * k + j];
      for (i32 r = b; r < j; r++) axpy64(xj, x + (long)r * ldx, n, -u[(long)r * k + j]);
      for (i32 i = 0; i < n; i++) xj[i] *= inv;
    }
  }
  for (i32 b = (k - 1) / ROWS * ROWS; b >= 0; b -= ROWS) {
    i32 w = min_i(ROWS, k - b), after = b + w;
    product64(x + (long)b * ldx, ldx, u + (long)b * k + after, k, 1, x + (long)after * ldx, ldx, w, n, k - after, -1.0, 0,
              scratch);
    for (i32 j = b + w - 1; j >= b; j--) {
      double *xj = x + (long)j * ldx, inv = 1.0 / u[(long)j * k + j];
      for (i32 r = j + 1; r < after; r++) axpy64(xj, x + (long)r * ldx, n, -u[(long)j * k + r]);
      for (i32 i = 0; i < n; i++) xj[i] *= inv;
    }
  }
}

/* r[j][i] = u[j][i] / u[j][j] for i > j, as f32: what error feedback needs of a factor. */
API(feedback) void feedback(float *r, const double *u, i32 k) {
  for (i32 j = 0; j < k; j++) {
    double inv = 1.0 / u[(long)j * k + j];
    for (i32 i = j + 1; i < k; i++) r[(long)j * k + i] = (float)(u[(long)j * k + i] * inv);
  }
}

INLINE v128_t round_even(v128_t v) {
  v128_t magic = wasm_f32x4_splat(12582912.0f);
  return wasm_f32x4_sub(wasm_f32x4_add(v, magic), magic);
}

/*
 * LDLQ rounding of t [k][n] (columns of the weight matrix as rows here) to codes: from the last column to the first,
 * q_j = clamp(round((t_j + sum_{i>j} e_i r[j][i]) / s)), e_j = t_j - q_j s. s, inv, cap: [n], n a multiple of 4.
 * r may be null: plain rounding. e [k][n] and q [k][n] are written; rows of t, q and e are ld apart. v: scratch [ROWS][n].
 */
API(ldlq) void ldlq(const float *t, const float *r, i32 k, i32 n, i32 ld, const float *s, const float *inv, const float *cap,
                    i8 *q, float *e, float *v, float *scratch) {
  for (i32 b = (k - 1) / ROWS * ROWS; b >= 0; b -= ROWS) {
    i32 w = min_i(ROWS, k - b), after = b + w;
    for (i32 j = 0; j < w; j++) for (i32 i = 0; i < n; i++) v[j * n + i] = t[(long)(b + j) * ld + i];
    if (r) product32(v, n, r + (long)b * k + after, k, 1, e + (long)after * ld, ld, w, n, k - after, 1.0f, 0, scratch);
    for (i32 j = after - 1; j >= b; j--) {
      float *vj = v + (long)(j - b) * n, *ej = e + (long)j * ld;
      if (r) for (i32 i = j + 1; i < after; i++) axpy32(vj, e + (long)i * ld, n, r[(long)j * k + i]);
      for (i32 i = 0; i < n; i += 4) {
        v128_t c = wasm_v128_load(cap + i);
        v128_t x = wasm_f32x4_mul(wasm_v128_load(vj + i), wasm_v128_load(inv + i));
        x = round_even(wasm_f32x4_max(wasm_f32x4_min(x, c), wasm_f32x4_neg(c)));
        wasm_v128_store(ej + i, wasm_f32x4_sub(wasm_v128_load(t + (long)j * ld + i), wasm_f32x4_mul(x, wasm_v128_load(s + i))));
        v128_t z = wasm_i32x4_trunc_sat_f32x4(x);
        i8 *qj = q + (long)j * ld + i;
        qj[0] = (i8)wasm_i32x4_extract_lane(z, 0); qj[1] = (i8)wasm_i32x4_extract_lane(z, 1);
        qj[2] = (i8)wasm_i32x4_extract_lane(z, 2); qj[3] = (i8)wasm_i32x4_extract_lane(z, 3);
      }
    }
  }
}

/*
 * Coordinate descent on e^T h e after rounding, one sweep: every code moves to the one that is best with all others held,
 * q_j += round(g_j / (h_jj s)) where g = h e. h [k][k] symmetric with a positive diagonal; g, e, q [k][n] are updated;
 * s, inv, cap: [n], n a multiple of 4. Returns the number of codes that moved.
 */
API(descend) i32 descend(const float *h, i32 k, i32 n, const float *s, const float *inv, const float *cap, i8 *q, float *e,
                         float *g) {
  i32 moved = 0;
  for (i32 i = 0; i < n; i += 4) {
    v128_t c = wasm_v128_load(cap + i), vs = wasm_v128_load(s + i), vi = wasm_v128_load(inv + i);
    for (i32 j = 0; j < k; j++) {
      i8 *qj = q + (long)j * n + i;
      const float *hj = h + (long)j * k;
      v128_t old = wasm_f32x4_make(qj[0], qj[1], qj[2], qj[3]);
      v128_t x = wasm_f32x4_mul(wasm_v128_load(g + (long)j * n + i), wasm_f32x4_mul(vi, wasm_f32x4_splat(1.0f / hj[j])));
      x = round_even(wasm_f32x4_max(wasm_f32x4_min(wasm_f32x4_add(old, x), c), wasm_f32x4_neg(c)));
      v128_t d = wasm_f32x4_sub(x, old);
      v128_t still = wasm_f32x4_eq(d, wasm_f32x4_splat(0.0f));
      if (wasm_i32x4_all_true(still)) continue;
      v128_t z = wasm_i32x4_trunc_sat_f32x4(x);
      qj[0] = (i8)wasm_i32x4_extract_lane(z, 0); qj[1] = (i8)wasm_i32x4_extract_lane(z, 1);
      qj[2] = (i8)wasm_i32x4_extract_lane(z, 2); qj[3] = (i8)wasm_i32x4_extract_lane(z, 3);
      moved += 4 - __builtin_popcount(wasm_i32x4_bitmask(still));
      d = wasm_f32x4_mul(d, vs);
      float *ej = e + (long)j * n + i;
      wasm_v128_store(ej, wasm_f32x4_sub(wasm_v128_load(ej), d));
      float *gi = g + i;
      for (i32 r = 0; r < k; r++, gi += n)
        wasm_v128_store(gi, wasm_f32x4_sub(wasm_v128_load(gi), wasm_f32x4_mul(d, wasm_f32x4_splat(hj[r]))));
    }
  }
  return moved;
}

/* Products of tap a of x with taps b .. b + n - 1 of y, of four channels, over d rows: an element has the same order whatever n is. */
INLINE void channel_tile(float *h, const float *x, const float *y, i32 d, i32 taps, i32 c, i32 a, i32 b, i32 n) {
  const float *px = x + a * c, *py = y + b * c;
  v128_t sum[3];
  for (i32 i = 0; i < n; i++) sum[i] = wasm_f32x4_splat(0);
  for (i32 r = 0; r < d; r++) {
    v128_t vx = wasm_v128_load(px);
    for (i32 i = 0; i < n; i++) sum[i] = wasm_f32x4_add(sum[i], wasm_f32x4_mul(vx, wasm_v128_load(py + i * c)));
    px += taps * c; py += taps * c;
  }
  for (i32 i = 0; i < n; i++) {
    float *to = h + ((long)a * taps + b + i) * c;
    wasm_v128_store(to, wasm_f32x4_add(wasm_v128_load(to), sum[i]));
  }
}

/*
 * Per-channel second moments of depthwise inputs: h[a][b][c] += sum_r x[r][a][c] y[r][b][c], all a and b, or b >= a only (upper), of
 * channels [from, to); in blocks of each of `count` samples of `rows` rows. taps positions in a window, c, from and to multiples of 4.
 */
API(channelMoments) void channelMoments(float *h, const float *x, const float *y, i32 rows, i32 count, i32 taps, i32 c, i32 upper,
                                        i32 from, i32 to, float *scratch) {
  for (i32 r0 = 0; r0 < rows * count; ) {
    i32 d = min_i(64, rows - r0 % rows);
    long at = (long)r0 * taps * c;
    r0 += d;
    for (i32 k = from; k < to; k += 4)
      for (i32 a = 0; a < taps; a++) {
        i32 b = upper ? a : 0;
        for (; b + 3 <= taps; b += 3) channel_tile(h + k, x + at + k, y + at + k, d, taps, c, a, b, 3);
        for (; b < taps; b++) channel_tile(h + k, x + at + k, y + at + k, d, taps, c, a, b, 1);
      }
  }
}

INLINE void column_tile(double *sums, const float *rows, i32 n, i32 columns, i32 w) {
  float total[16], block[16];
  for (i32 i = 0; i < w; i++) total[i] = 0;
  for (i32 r0 = 0; r0 < n; r0 += DEPTH) {
    i32 end = min_i(n, r0 + DEPTH);
    for (i32 i = 0; i < w; i++) block[i] = 0;
    for (i32 r = r0; r < end; r++, rows += columns)
      for (i32 i = 0; i < w; i++) block[i] += rows[i];
    for (i32 i = 0; i < w; i++) total[i] += block[i];
  }
  for (i32 i = 0; i < w; i++) sums[i] += total[i];
}

/* sums[c] += sum_r rows[r][c] of `count` samples of n rows: in f32 over blocks of DEPTH rows and over those of a sample, in f64 over samples. */
API(columnSums) void columnSums(double *sums, const float *rows, i32 n, i32 count, i32 columns) {
  for (i32 i = 0; i < count; i++, rows += (long)n * columns) {
    i32 c = 0;
    for (; c + 16 <= columns; c += 16) column_tile(sums + c, rows + c, n, columns, 16);
    for (; c < columns; c++) column_tile(sums + c, rows + c, n, columns, 1);
  }
}

/* Smallest and largest value and how many are not zero, by channel of the last axis. */
API(ranges) void ranges(float *low, float *high, double *nonzero, const float *x, i32 rows, i32 channels) {
  for (i32 r = 0; r < rows; r++, x += channels)
    for (i32 c = 0; c < channels; c++) {
      float v = x[c];
      low[c] = v < low[c] ? v : low[c];
      high[c] = v > high[c] ? v : high[c];
      nonzero[c] += v != 0;
    }
}

/* How activations are stored: (data - zp[c]) * scale[c] * row; no scales: floats as they are. */
typedef struct {
  const void *data;
  i32 dtype;
  const double *scale;
  const i32 *zp;
  i32 channels;
  const float *rowScale;
} Activations;
enum { F32, I8, I16 };

#define DECODE(T)                                                                                                      \
  {                                                                                                                    \
    const T *q = (const T *)x->data + at;                                                                              \
    if (x->channels == 1) {                                                                                            \
      double s = x->scale[0] * row;                                                                                    \
      i32 z = x->zp[0];                                                                                                \
      for (i32 i = 0; i < n; i++) out[i] = (float)((q[i] - z) * s);                                                    \
    } else {                                                                                                           \
      const double *s = x->scale + channel;                                                                            \
      const i32 *z = x->zp + channel;                                                                                  \
      for (i32 i = 0; i < n; i++) out[i] = (float)((q[i] - z[i]) * s[i] * row);                                        \
    }                                                                                                                  \
  }

/* n activations from element `at` on, of which the first is of `channel`. */
INLINE void decode(float *out, const Activations *x, long at, i32 n, i32 channel, double row) {
  if (!x->scale) {
    const float *from = (const float *)x->data + at;
    for (i32 i = 0; i < n; i++) out[i] = from[i];
  } else if (x->dtype == I8) DECODE(signed char)
  else DECODE(short)
}

INLINE void zero(float *out, i32 n) {
  for (i32 i = 0; i < n; i++) out[i] = 0;
}

/* out[r] = row positions[r] of x, [..][columns]. */
API(gatherRows) void gatherRows(float *out, i32 pitch, const Activations *x, const i32 *positions, i32 n, i32 columns) {
  for (i32 r = 0; r < n; r++) {
    i32 p = positions[r];
    decode(out + (long)r * pitch, x, (long)p * columns, columns, 0, x->rowScale ? x->rowScale[p] : 1);
  }
}

/* Windows of an image [..][h][w][c], ow x perImage / ow of them an image. Taps of a group take `step` elements of a row. */
typedef struct {
  i32 h, w, c, perImage, ow, kh, kw, strideY, strideX, padY, padX, dilationY, dilationX, groups, step;
} Windows;

/* out[r] = the window at positions[r], [group][tap][channel], zero where it leaves the image. */
API(gatherWindows) void gatherWindows(float *out, i32 pitch, const Activations *x, const i32 *positions, i32 n, const Windows *g) {
  i32 cg = g->c / g->groups;
  // Neighbours in the image are neighbours in the row.
  i32 lines = g->step == g->c && g->dilationX == 1 && x->channels == 1;
  for (i32 r = 0; r < n; r++) {
    i32 image = positions[r] / g->perImage, inside = positions[r] - image * g->perImage;
    i32 y0 = inside / g->ow * g->strideY - g->padY, x0 = inside % g->ow * g->strideX - g->padX;
    for (i32 k = 0; k < g->groups; k++)
      for (i32 ky = 0; ky < g->kh; ky++) {
        i32 y = y0 + ky * g->dilationY, there = y >= 0 && y < g->h;
        float *to = out + (long)r * pitch + (k * g->kh + ky) * g->kw * g->step;
        long line = ((long)image * g->h + y) * g->w;
        if (lines) {
          i32 from = there ? min_i(g->kw, max_i(0, -x0)) : g->kw, end = max_i(from, min_i(g->kw, g->w - x0));
          zero(to, from * cg);
          decode(to + from * cg, x, (line + x0 + from) * g->c, (end - from) * cg, 0, 1);
          zero(to + end * cg, (g->kw - end) * cg);
          continue;
        }
        for (i32 kx = 0; kx < g->kw; kx++, to += g->step) {
          i32 at = x0 + kx * g->dilationX;
          if (there && at >= 0 && at < g->w) decode(to, x, (line + at) * g->c + k * cg, cg, k * cg, 1);
          else zero(to, g->step);
        }
      }
  }
}
