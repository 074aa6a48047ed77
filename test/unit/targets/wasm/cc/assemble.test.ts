import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEigenError } from '../../../../../sdk/util/errors.ts';
import { compileKernels } from '../../../../../targets/wasm/cc/index.ts';
import { C_TYPES, callC, compileC, instantiate, newMemory } from '../../../../support/c-module.ts';

/** Programs with a function f, arguments, and what it returns. */
const PROGRAMS: readonly [what: string, source: string, args: readonly number[], wanted: number][] = [
  ['a sum', 'i32 f(i32 a, i32 b) { return a + 2 * b - 3; }', [10, 4], 15],
  ['division truncates', 'i32 f(i32 a, i32 b) { return a / b * 100 + a % b; }', [-7, 2], -301],
  ['without sign', 'i32 f(u32 a, u32 b) { return a / b > 2u && a >> 31; }', [-1, 2], 1],
  [
    'small ints keep their low bits',
    'i32 f(i32 a) { i8 b = (i8)a; u16 c = (u16)(b - 1); return b * 1000000 + c; }',
    [511],
    -1000000 + 65534,
  ],
  ['8 byte ints', 'i32 f(i32 a, i32 b) { return (i32)((i64)a * b / 1000); }', [2000000, 3000000], 1705032704],
  ['floats become ints', 'i32 f(i32 a) { return (i32)(a * 0.75f) + (i32)-1.9f; }', [11], 7],
  ['and those that are too large the largest', 'i32 f(i32 a) { return (i32)(a * 1e30f); }', [1], 2147483647],
  ['if and else', 'i32 f(i32 a) { if (a < 0) return -1; else if (a == 0) return 0; return 1; }', [5], 1],
  ['a loop', 'i32 f(i32 n) { i32 s = 0; for (i32 i = 1; i <= n; i++) s += i; return s; }', [100], 5050],
  ['one that does not run', 'i32 f(i32 n) { i32 s = 7; for (i32 i = 0; i < n; i++) s = 0; return s; }', [0], 7],
  [
    'one that is written out',
    'i32 f(i32 n) { i32 s = 0; for (i32 i = 0; i < 5; i++) { const i32 k = i * n; s += k; } return s; }',
    [3],
    30,
  ],
  [
    'one that is not',
    'i32 f(i32 n) { i32 s = 0; EW_ROLLED for (i32 i = 0; i < 5; i++) s += i * n; return s; }',
    [3],
    30,
  ],
  ['do and while', 'i32 f(i32 n) { i32 s = 0; do s += n--; while (n > 0); while (s > 10) s -= 7; return s; }', [5], 8],
  [
    'break and continue',
    'i32 f(i32 n) { i32 s = 0; for (i32 i = 0; ; i++) { if (i % 2) continue; if (i > n) break; s += i; } return s; }',
    [9],
    20,
  ],
  [
    'switch',
    'i32 f(i32 a) { i32 s = 0; switch (a) { case 2: s += 1; case 3: s += 10; break; case 7: s = 5; break; default: s = -1; } return s; }',
    [2],
    11,
  ],
  [
    'its default',
    'i32 f(i32 a) { i32 s = 0; switch (a) { case 2: s += 1; case 3: s += 10; break; default: s = -1; } return s; }',
    [100],
    -1,
  ],
  [
    'a switch in a loop',
    'i32 f(i32 n) { i32 s = 0; for (i32 i = 0; i < n; i++) switch (i) { case 1: continue; case 3: s += 100; break; default: s++; } return s; }',
    [5],
    103,
  ],
  [
    'only what is needed is evaluated',
    'static i32 z(i32 *n) { return ++*n; } i32 f(i32 a) { i32 n = 0; if (a || z(&n)) n += 10; return a && z(&n) ? n : -n; }',
    [1],
    11,
  ],
  [
    'values before and after',
    'i32 f(i32 a) { i32 b = a++; b = b * 10 + a; b = b * 10 + --a; return b * 10 + a--; }',
    [3],
    3433,
  ],
  [
    'left before right',
    'i32 f(i32 a) { i32 t[4] = {1, 2, 3, 4}; i32 *p = t; i32 s = *p++ * 100; s += *p++ * 10 + *p; return s + a; }',
    [0],
    123,
  ],
  [
    'an inlined function with a result by reference',
    'EW_INLINE i32 g(i32 a, i32 *r) { *r = a * 2; return a + 1; } i32 f(i32 a) { i32 r; const i32 x = g(a, &r); return x * 100 + r; }',
    [7],
    814,
  ],
  [
    'and with several returns',
    'EW_INLINE i32 g(i32 a) { if (a > 10) return 10; for (i32 i = 0; i < a; i++) if (i * i > a) return i; return -1; } i32 f(i32 a) { return g(a) * 100 + g(a + 9); }',
    [5],
    310,
  ],
  [
    'arguments that are changed',
    'EW_INLINE i32 g(i32 a) { a += 3; return a; } i32 f(i32 a) { return g(a) * 100 + a; }',
    [4],
    704,
  ],
  [
    'a struct',
    'typedef struct { const u8 *p; i32 n; } place; EW_SHARED void g(place *at) { at->n += 2; at->p++; } i32 f(i32 a) { static const u8 t[3] = {5, 6, 7}; place at = {t, a}; g(&at); return at.n * 10 + *at.p; }',
    [3],
    56,
  ],
  [
    'a struct that stays in locals',
    'typedef struct { i32 a; float b; u8 c; } r; i32 f(i32 x) { r v = {x, 2.5f, (u8)x}; v.c += 250; return v.a + (i32)(v.b * 2.0f) + v.c; }',
    [10],
    19,
  ],
  [
    'a struct that is copied',
    'typedef struct { i32 a, b; } r; i32 f(i32 x) { r v = {x, 2}, w; w = v; w.a++; return v.a * 100 + w.a * 10 + w.b; }',
    [1],
    122,
  ],
  [
    'a union',
    'i32 f(i32 e) { union { u32 bits; float value; } u = {(u32)(e + 127) << 23}; return (i32)u.value; }',
    [5],
    32,
  ],
  [
    'an array by a variable',
    'i32 f(i32 n) { i32 t[8]; for (i32 i = 0; i < 8; i++) t[i] = i * i; return t[n]; }',
    [6],
    36,
  ],
  [
    'an array of arrays',
    'static const i16 t[2][3] = {{1, 2, 3}, {-4, 5, 6}}; i32 f(i32 n) { return t[n][0] * 10 + t[1 - n][n]; }',
    [1],
    -38,
  ],
  [
    'a table',
    'static const float t[4] = {0.5f, 1.5f, 2.5f, 3.5f}; i32 f(i32 n) { return (i32)(t[n] * 2.0f); }',
    [2],
    5,
  ],
  [
    'negative indices',
    'i32 f(i32 n) { i32 t[40]; for (i32 i = 0; i < 40; i++) t[i] = i; i32 *p = t + 20; return p[n - 15] + p[n + 2]; }',
    [1],
    29,
  ],
  [
    'pointers that step',
    'i32 f(i32 n) { u8 t[64]; for (i32 i = 0; i < 64; i++) t[i] = (u8)(i * 3); i32 s = 0; const u8 *p = t; for (i32 k = 0; k < n; k++, p += 5) { s += p[0] + p[7]; } return s; }',
    [8],
    1008,
  ],
  [
    'rows of columns',
    'i32 f(i32 n) { i32 t[60]; for (i32 i = 0; i < 60; i++) t[i] = i; i32 s = 0; for (i32 r = 1; r < n; r++) for (i32 c = 0; c < 3; c++) s += t[(r * 5 + n) * 2 + c - 4]; return s; }',
    [4],
    225,
  ],
  [
    'a value before it is overwritten',
    'i32 f(i32 n) { i32 t[2] = {n, 0}; i32 *p = t + (n > 100); const i32 a = p[0]; p[0] = 9; return a * 10 + p[0]; }',
    [3],
    39,
  ],
  [
    'a test after a step',
    'i32 f(i32 n) { i32 t[8]; for (i32 i = 0; i < 8; i++) t[i] = 8 - i; const i32 *p = t; i32 s = 0; while (*p++ != n) s++; return s * 100 + *p; }',
    [5],
    304,
  ],
  [
    'what is read before a call that writes it',
    'EW_SHARED i32 g(i32 *q) { *q = 5; return 1; } i32 f(i32 n) { i32 q[1]; q[0] = n; const i32 x = q[0]; q[0] = g(q) + x; return q[0]; }',
    [40],
    41,
  ],
  [
    'a variable with an address likewise',
    'EW_SHARED void g(i32 *p) { *p += 10; } i32 f(i32 n) { i32 x = n; g(&x); const i32 y = x + 1; g(&x); return y * 1000 + x; }',
    [40],
    51060,
  ],
  [
    'small ints with an address take their bytes only',
    'EW_SHARED void g(i8 *p) { *p = -1; } i32 f(i32 n) { i8 x = 0, y = 0; u16 z = 7; g(&x); g(&y); y = 3; g((i8 *)&z); return z * 10000 + x * 100 + y + n; }',
    [0],
    255 * 10000 - 100 + 3,
  ],
  [
    'small ints read without their sign',
    'i32 f(i32 n) { i8 x = (i8)n; u8 y; __builtin_memcpy(&y, &x, 1); return y + *(u8 *)&x; }',
    [-1],
    510,
  ],
  [
    'an address that moves on where it is used',
    'i32 f(i32 n) { u8 q[64]; u8 *p = q; for (i32 i = 0; i < n; i++) __builtin_memset(p++, i + 1, (u32)(n - i)); return q[5]; }',
    [20],
    6,
  ],
  [
    'a step that reads what it has counted',
    'i32 f(i32 n) { i32 s = 0, j = 0; for (i32 i = 0; i < n; i++, j = i * 12) s += j + i * 12; return s; }',
    [40],
    18720,
  ],
  [
    'counted in the step and in its test',
    'i32 f(i32 n) { i32 s = 0; for (i32 i = 0; i++ < n; i++) s += i * 12; return s; }',
    [40],
    4800,
  ],
  [
    'a sum in a loop whose terms cancel out',
    'static i32 g(i32 *b, i32 n) { switch ((n - n) & 3) { case 0: b[1] += n; } return b[2]; } i32 f(i32 n) { i32 a[4] = {n, 0, 0, 0}; for (i32 i = 0; i < n; i++) g(a, a[i & 1]); return a[1]; }',
    [3],
    9,
  ],
  ['a choice whose test writes', 'i32 f(i32 n) { i32 i = n; return i++ < 100 ? i : 7; }', [40], 41],
  [
    'a bound that its loop moves',
    'i32 f(i32 n) { i32 m = 10, s = n; for (i32 i = 0; i < m; i++) { m--; s++; } return s; }',
    [0],
    5,
  ],
  [
    'a step that its loop changes',
    'i32 f(i32 n) { i32 m = 1, s = n; for (i32 i = 0; i < 10; i += m) { m = 2; s++; } return s; }',
    [0],
    5,
  ],
];

for (const [what, source, args, wanted] of PROGRAMS) {
  test(what, () => {
    assert.is(callC(source, ...args), wanted);
  });
}

test('functions that are not inlined have frames on the stack of their thread', () => {
  const source = `EW_SHARED i32 g(i32 *t, i32 n) { i32 own[16]; for (i32 i = 0; i < 16; i++) own[i] = t[i & 3] + n; return n > 0 ? g(own, n - 1) : own[5]; }
    i32 f(i32 n) { i32 t[4] = {n, n + 1, n + 2, n + 3}; return g(t, 3) + t[3]; }`;
  const module = compileC(source, ['f']);
  const memory = newMemory();
  const first = instantiate(module, memory);
  const second = instantiate(module, memory);
  const top = first.heap + 8192;
  second.stackPointer.value = top;
  const before = first.bytes.slice(0, 65536);
  assert.is(second.exports.f!(10), 11 + 6 + 13);
  assert.equal(first.bytes.slice(0, 65536), before, 'the first stack is not used');
  assert.is(first.exports.f!(20), 21 + 6 + 23);
  assert.is(second.stackPointer.value, top);
  assert.is(first.stackPointer.value, 65536);
});

test('units share what is not static', () => {
  const shared = `${C_TYPES}__attribute__((weak)) i32 kept; __attribute__((weak)) void keep(i32 n) { kept = n; } static i32 own(void);`;
  const units = [
    `${shared} static i32 own(void) { return 100; } i32 first(void) { return own() + kept; }`,
    `${shared} static i32 own(void) { return 200; } i32 second(void) { return own() + kept; }`,
  ];
  const { exports } = instantiate(compileKernels(units, [], ['first', 'second', 'keep']));
  exports.keep!(7);
  assert.equal([exports.first!(), exports.second!()], [107, 207]);
});

test('a second instance leaves variables as they are', () => {
  const module = compileC('static i32 n; static const i32 t[2] = {3, 4}; i32 f(i32 a) { n += a; return n + t[1]; }', [
    'f',
  ]);
  const memory = newMemory();
  instantiate(module, memory).exports.f!(5);
  assert.is(instantiate(module, memory).exports.f!(1), 10);
});

test('only what exports need is there, behind the stack', () => {
  const source = 'static const u8 t[100] = {1}; i32 g(void) { return t[0]; } i32 f(void) { return 1; }';
  assert.is(instantiate(compileC(source, ['f'])).heap, 65536);
  assert.is(instantiate(compileC(source, ['f', 'g'])).heap, 65536 + 112);
});

test('a name that is not defined is refused', () => {
  assert.throws(
    () => compileC('i32 f(void) { return 1; }', ['g']),
    (e: unknown) => isEigenError(e) && e.code === 'EW5002_COMPILER_FAILED' && /g is not defined/.test(e.message),
  );
});

test('loads of what is restrict and const leave loops, others see what is written', () => {
  const source = `void f(const i32 *restrict p, const i32 *q, i32 *d, i32 n) { for (i32 i = 0; i < n; i++) d[i] = p[0] * 100 + q[0]; }`;
  const { exports, bytes, heap } = instantiate(compileC(source, ['f']));
  const words = new Int32Array(bytes.buffer, heap, 8);
  words.set([2, 0, 5]);
  exports.f!(heap, heap + 8, heap + 8, 2);
  assert.equal([...words.slice(2, 4)], [205, 405]);
});

test.run();
