/** Rows whose sums are made together: additions of one row wait for each other. */
export const MOMENT_ROWS = 4;

const ROWS = Array.from({ length: MOMENT_ROWS }, (_, r) => r);
const each = (text: (r: number) => string): string => ROWS.map(text).join(' ');

/** A sum over the elements of every row, four lanes of a row in a fixed order: `term` of v, and of `fill` where a vector has none. */
const sums = (term: (v: string, r: number) => string, fill: (r: number) => string): string => `{
    f4 ${ROWS.map((r) => `a${r} = f4_splat(0.0f)`).join(', ')}; i32 k = 0;
    for (; k + 4 <= n; k += 4) { ${each((r) => `a${r} = f4_add(a${r}, ${term(`f4_load(s${r} + k)`, r)});`)} }
    if (k < n) { ${each((r) => `a${r} = f4_add(a${r}, ${term(`ew_load_part(s${r} + k, n - k, ${fill(r)})`, r)});`)} }
    ${each((r) => `t[${r}] = ew_sum4(a${r}) / (float)n;`)}
  }`;

/** C helper of normalizations, for every module. */
export const MOMENTS = `
EW_INLINE f4 ew_square(f4 v) { return f4_mul(v, v); }
/* means (0 where they are not wanted) and variances of up to ${MOMENT_ROWS} rows of n elements, \`pitch\` from one to the next */
EW_SHARED void ew_moments(const float *s, i64 pitch, i32 rows, i32 n, i32 centred, float *mean, float *var) {
  const float ${ROWS.map((r) => `*s${r} = s + (${r} < rows ? ${r} : rows - 1) * pitch`).join(', ')}; float t[${MOMENT_ROWS}] = {0.0f};
  if (centred) ${sums(
    (v) => v,
    () => '0.0f',
  )}
  ${each((r) => `const float m${r} = t[${r}];`)} const f4 ${ROWS.map((r) => `M${r} = f4_splat(m${r})`).join(', ')};
  ${sums(
    (v, r) => `ew_square(f4_sub(${v}, M${r}))`,
    (r) => `m${r}`,
  )}
  ${each((r) => `mean[${r}] = m${r}; var[${r}] = t[${r}];`)}
}
`;
