import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { functionOf, parseC, showBody } from '../../../../support/c-tree.ts';

const cases: readonly [what: string, statements: string, tree: string][] = [
  ['variables', 'i32 a = 1, *p = &a; float x;', '{i32 a = 1:i32; *i32 p = (address *i32 a); f32 x;}'],
  [
    'if and else',
    'if (n) n = 1; else if (n < 2) return; else {}',
    '{if n (assign i32 n 1:i32); else if (lt i32 n 2:i32) return; else {}}',
  ],
  [
    'for',
    'for (i32 i = 0; i < n; i++) ;',
    '{{i32 i = 0:i32; loop while (lt i32 i n) step (modify-old i32 i (add i32 old 1:i32)) {}}}',
  ],
  ['for ever', 'for (;;) break;', '{loop break;}'],
  ['while', 'while (n--) continue;', '{loop while (modify-old i32 n (sub i32 old 1:i32)) continue;}'],
  ['do', 'do { n /= 2; } while (n);', '{loop {(modify-new i32 n (div i32 old 2:i32));} while n}'],
  [
    'loops that are to stay',
    '_Pragma("clang loop unroll(disable)") do n++; while (n < 9);',
    '{rolled loop (modify-old i32 n (add i32 old 1:i32)); while (lt i32 n 9:i32)}',
  ],
  [
    'and those that declare',
    '_Pragma("clang loop unroll(disable)") for (i32 i = 0; i < n; ) i = n;',
    '{{i32 i = 0:i32; rolled loop while (lt i32 i n) (assign i32 i n);}}',
  ],
  [
    'switch',
    'switch (n) { case 1: case -2: n = 0; break; default: n = 3; }',
    '{switch n (1:0 -2:0 else:2) {(assign i32 n 0:i32); break; (assign i32 n 3:i32);}}',
  ],
  ['what hides a value is nothing', '__asm__("" : "+r"(n)); n = 1;', '{(assign i32 n 1:i32);}'],
  [
    'names are those of their block',
    '{ float n; n = 1; } n = 2;',
    '{{f32 n; (assign f32 n 1:f32);} (assign i32 n 2:i32);}',
  ],
  ['types too', '{ typedef float t; t a; } typedef i8 t; t b;', '{{f32 a;} i8 b;}'],
  [
    'lists write all elements',
    'float t[3] = {n, 2};',
    '{[3]f32 t; (assign f32 (offset 1 (address *[3]f32 t) 0:i32) (convert f32 n)); ' +
      '(assign f32 (offset 1 (address *[3]f32 t) 4:i32) 2:f32); (assign f32 (offset 1 (address *[3]f32 t) 8:i32) 0:f32);}',
  ],
  [
    'many zeros at once',
    'i16 t[64] = {1};',
    '{[64]i16 t; (__builtin_memset (address *void t) 0:i32 128:u32); (assign i16 (offset 1 (address *[64]i16 t) 0:i32) 1:i16);}',
  ],
  [
    'of a union the first member',
    'union { u32 bits; float value; } u = {n}; u.value = 1;',
    '{{0:u32 0:f32} u; (assign u32 (offset 1 (address *{0:u32 0:f32} u) 0:i32) (convert u32 n)); ' +
      '(assign f32 (offset 1 (address *{0:u32 0:f32} u) 0:i32) 1:f32);}',
  ],
  [
    'and the rest of it is zeros',
    'union { u8 low; u32 all; } u = {n};',
    '{{0:u8 0:u32} u; (__builtin_memset (address *void u) 0:i32 4:u32); ' +
      '(assign u8 (offset 1 (address *{0:u8 0:u32} u) 0:i32) (convert u8 n));}',
  ],
];

for (const [what, statements, tree] of cases) test(what, () => assert.is(showBody(statements, 'i32 n'), tree));

test('what is returned is converted', () => {
  assert.is(showBody('return n;', 'i32 n', 'float'), '{return (convert f32 n);}');
});

test('variables whose address is taken, arrays and records are in memory', () => {
  const { body } = functionOf(parseC('void f(i32 n) { i32 a, b, c[2], *p = &b; struct { i32 x; } d; }'), 'f');
  const declared = body?.kind === 'block' ? body.body : [];
  const inMemory = declared.flatMap((s) => (s.kind === 'declare' && s.variable.addressed ? [s.variable.name] : []));
  assert.equal(inMemory, ['b', 'c', 'd']);
});

test.run();
