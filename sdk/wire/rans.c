/*
 * rANS over static models (Duda, arXiv 1311.2540) for one thread of WebAssembly: 32-bit states in [2^16, 2^32), 16-bit words,
 * so that a symbol moves at most one word. The symbol at column c of a row goes through state c % lanes, lanes being 1 or 4.
 * tools/generate-rans.ts compiles this file into rans-wasm.ts; rans.ts lays out the memory.
 *
 * Decoders do not check for the end of the words: their memory must go on for one word a symbol beyond it, and the caller
 * compares the place they return. Every slot of every table they can reach must be filled; then nothing else can go wrong.
 */
typedef signed char i8;
typedef unsigned char u8;
typedef unsigned short u16;
typedef int i32;
typedef unsigned u32;
typedef unsigned long long u64;
#define API(name) __attribute__((export_name(#name)))

/* A coin toss for a branch predictor, hence written so that it becomes two selects. */
#define REFILL(x, w) { u32 low = x < 65536; u32 filled = (x << 16) | *w; x = low ? filled : x; w += low; }

/*
 * Defines NAME(states, w, tables, stride, classes, rows, cols, lanes, bits, out): decodes rows x cols symbols into out and
 * returns the place reached in the words. Row r uses the table at tables + classes[r] * stride entries (classes may be 0: the
 * first). READ(x, o, t) takes the next symbol out of state x by the table t and puts it at o; TABLE is the type of an entry.
 */
#define DECODER(NAME, TABLE, OUT, READ)                                                                                \
  API(NAME) const u16 *NAME(u32 *states, const u16 *w, const TABLE *tables, i32 stride, const u8 *classes, i32 rows,   \
                            i32 cols, i32 lanes, i32 bits, OUT *out) {                                                 \
    u32 a = states[0], b = states[1], c = states[2], d = states[3], mask = (1u << bits) - 1;                           \
    for (i32 r = 0; r < rows; r++) {                                                                                   \
      const TABLE *t = tables + (classes ? classes[r] * stride : 0);                                                   \
      if (lanes == 1) {                                                                                                \
        for (i32 i = 0; i < cols; i++, out++) { READ(a, out[0], t) REFILL(a, w) }                                      \
        continue;                                                                                                      \
      }                                                                                                                \
      i32 i = 0;                                                                                                       \
      for (; i + 4 <= cols; i += 4, out += 4) {                                                                        \
        READ(a, out[0], t) READ(b, out[1], t) READ(c, out[2], t) READ(d, out[3], t)                                    \
        REFILL(a, w) REFILL(b, w) REFILL(c, w) REFILL(d, w)                                                            \
      }                                                                                                                \
      if (i < cols) { READ(a, out[0], t) REFILL(a, w) out++; i++; }                                                    \
      if (i < cols) { READ(b, out[0], t) REFILL(b, w) out++; i++; }                                                    \
      if (i < cols) { READ(c, out[0], t) REFILL(c, w) out++; }                                                         \
    }                                                                                                                  \
    states[0] = a; states[1] = b; states[2] = c; states[3] = d;                                                        \
    return w;                                                                                                          \
  }

/* Entry of slot s: symbol | (s - start) << 16 | frequency << 32. */
#define READ_SYMBOL(x, o, t) { u64 e = t[x & mask]; o = e; x = (u32)(e >> 32) * (x >> bits) + ((u32)e >> 16); }
DECODER(decode8, u64, i8, READ_SYMBOL)
DECODER(decode16, u64, u16, READ_SYMBOL)

/*
 * One digit in {-1, 0, 1} for a coarse value k, which becomes 3 k + digit. Entry of slot s in the table of k, at
 * k << 8: (3 k + digit) & 255 | (s - start) << 8 | frequency << 16.
 */
#define READ_DIGIT(x, o, t)                                                                                            \
  { u32 e = t[(o << 8) + (i32)(x & 255)]; o = (i8)e; x = (e >> 16) * (x >> 8) + ((e >> 8) & 255); }
DECODER(refine, u32, i8, READ_DIGIT)

/* A stream on the way: its state, its words from here on, its tables. */
typedef struct { u32 state; const u16 *words; const void *tables; i32 stride; } Stream;

/*
 * Decodes a base and `count` planes of streams with one state each, symbol by symbol: a state waits for itself only, and those of several
 * streams are at work at a time, as four of one stream are above.
 */
static inline __attribute__((always_inline)) void together(Stream *s, i32 count, const u8 *classes, i32 rows, i32 cols, i32 bits,
                                                           i8 *out) {
  u32 a = s[0].state, b = s[1].state, c = s[2].state, d = s[3].state, mask = (1u << bits) - 1;
  const u16 *wa = s[0].words, *wb = s[1].words, *wc = s[2].words, *wd = s[3].words;
  for (i32 r = 0; r < rows; r++) {
    i32 k = classes ? classes[r] : 0;
    const u64 *ta = (const u64 *)s[0].tables + k * s[0].stride;
    const u32 *tb = (const u32 *)s[1].tables + k * s[1].stride, *tc = (const u32 *)s[2].tables + k * s[2].stride,
              *td = (const u32 *)s[3].tables + k * s[3].stride;
    for (i32 i = 0; i < cols; i++) {
      i8 v;
      READ_SYMBOL(a, v, ta) REFILL(a, wa)
      READ_DIGIT(b, v, tb) REFILL(b, wb)
      if (count > 1) { READ_DIGIT(c, v, tc) REFILL(c, wc) }
      if (count > 2) { READ_DIGIT(d, v, td) REFILL(d, wd) }
      *out++ = v;
    }
  }
  s[0].state = a; s[1].state = b; s[2].state = c; s[3].state = d;
  s[0].words = wa; s[1].words = wb; s[2].words = wc; s[3].words = wd;
}
#define TOGETHER(NAME, COUNT)                                                                                          \
  API(NAME) void NAME(Stream *s, const u8 *classes, i32 rows, i32 cols, i32 bits, i8 *out) {                           \
    together(s, COUNT, classes, rows, cols, bits, out);                                                                \
  }
TOGETHER(planes1, 1)
TOGETHER(planes2, 2)
TOGETHER(planes3, 3)

/* Fills a table for READ_SYMBOL from the frequency of each of `count` symbols in turn. */
API(fillSymbols) void fillSymbols(u64 *t, const u16 *frequencies, const u16 *symbols, i32 count) {
  for (i32 i = 0; i < count; i++)
    for (u32 s = 0, f = frequencies[i]; s < f; s++) *t++ = (u64)f << 32 | s << 16 | symbols[i];
}

/* Fills tables for READ_DIGIT from the frequencies of the three digits of each coarse value from -reach to reach; all are 0 where it never is. */
API(fillDigits) void fillDigits(u32 *tables, const u16 *frequencies, i32 reach) {
  for (i32 k = -reach; k <= reach; k++, tables += 256) {
    u32 *t = tables;
    for (i32 digit = -1; digit <= 1; digit++)
      for (u32 s = 0, f = *frequencies++, code = (3 * k + digit) & 255; s < f; s++) *t++ = f << 16 | s << 8 | code;
    while (t < tables + 256) *t++ = 0;
  }
}

/*
 * Codes rows x cols symbols, last one first, downwards from w; returns the place of the first word. Entry of a symbol in
 * steps: frequency | start << 16.
 */
API(encode) u16 *encode(u32 *states, u16 *w, const u32 *steps, const u16 *symbols, i32 rows, i32 cols, i32 lanes, i32 bits) {
  const u16 *in = symbols + rows * cols;
  for (i32 r = 0; r < rows; r++)
    for (i32 c = cols - 1; c >= 0; c--) {
      u32 step = steps[*--in], frequency = step & 0xffff, x = states[c & (lanes - 1)];
      if (x >> (32 - bits) >= frequency) { *--w = (u16)x; x >>= 16; }
      u32 q = x / frequency;
      states[c & (lanes - 1)] = (q << bits) + (x - q * frequency) + (step >> 16);
    }
  return w;
}
