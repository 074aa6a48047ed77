/** Quantization of a row of floats by its own scale: C helper, for every module. Maxima are the same in any order, NaNs do not count. */
export const QUANTIZE_ROW = `
/* one row to i8: scale = max|x| / 127, codes round(x * (127 / max|x|)); a zero row gives 0 */
static float ew_quantize_row(const float *x, i8 *q, i32 n) {
  f4 m = f4_splat(0.0f); i32 k = 0;
#ifdef EW_LANES
  fx m0 = fx_splat(0.0f), m1 = m0; float most[EW_LANES];
  for (; k + 2 * EW_LANES <= n; k += 2 * EW_LANES) { m0 = fx_max(m0, fx_abs(fx_load(x + k))); m1 = fx_max(m1, fx_abs(fx_load(x + k + EW_LANES))); }
  fx_store(most, fx_max(m0, m1));
  for (i32 i = 0; i < EW_LANES; i += 4) m = f4_max(m, f4_load(most + i));
#endif
  for (; k + 4 <= n; k += 4) m = f4_max(m, f4_abs(f4_load(x + k)));
  if (k < n) m = f4_max(m, f4_abs(ew_load_part(x + k, n - k, 0.0f)));
  const float top = ew_max4(m);
  if (top == 0.0f) { for (k = 0; k < n; k++) q[k] = 0; return 0.0f; }
  const f4 inv = f4_splat(127.0f / top);
  k = 0;
#ifdef EW_LANES
  for (const fx by = fx_splat(127.0f / top); k + EW_LANES <= n; k += EW_LANES) ix_store_i8(q + k, ewx_round(fx_mul(fx_load(x + k), by)));
#endif
  for (; k + 8 <= n; k += 8) {
    h8 h = h8_narrow(ew_round(f4_mul(f4_load(x + k), inv)), ew_round(f4_mul(f4_load(x + k + 4), inv)));
    b16_store_lo8(q + k, b16_narrow(h, h));
  }
  for (; k < n; k += 4) {
    i32 t[4]; i4_store(t, ew_round(f4_mul(ew_load_part(x + k, n - k < 4 ? n - k : 4, 0.0f), inv)));
    for (i32 i = 0; i < 4 && k + i < n; i++) q[k + i] = (i8)t[i];
  }
  return top / 127.0f;
}
`;
