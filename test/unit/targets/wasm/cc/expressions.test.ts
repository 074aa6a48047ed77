import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { showValue } from '../../../../support/c-tree.ts';

const cases: readonly [what: string, expression: string, parameters: string, tree: string][] = [
  ['small ints become i32', 'a + b', 'i8 a, u16 b', '(add i32 (convert i32 a) (convert i32 b))'],
  ['i32 and u32 become u32', 'a * b', 'i32 a, u32 b', '(mul u32 (convert u32 a) b)'],
  ['u32 and i64 become i64', 'a - b', 'u32 a, i64 b', '(sub i64 (convert i64 a) b)'],
  ['ints and floats become floats', 'a / b', 'i64 a, float b', '(div f32 (convert f32 a) b)'],
  ['floats and doubles become doubles', 'a * 0.5', 'float a', '(mul f64 (convert f64 a) 0.5:f64)'],
  ['shifts have the type of their left side', 'a << b', 'u8 a, i64 b', '(shl i32 (convert i32 a) (convert i32 b))'],
  ['and what it is shifted by has its size', 'a >> b', 'u64 a, i32 b', '(shr u64 a (convert u64 b))'],
  ['comparisons are ints', 'a < b', 'u8 a, u32 b', '(lt i32 (convert u32 (convert i32 a)) b)'],
  ['left before right', 'a - b - c', 'i32 a, i32 b, i32 c', '(sub i32 (sub i32 a b) c)'],
  ['products before sums', 'a + b * c', 'i32 a, i32 b, i32 c', '(add i32 a (mul i32 b c))'],
  ['bits last', 'a & b == c', 'i32 a, i32 b, i32 c', '(and i32 a (eq i32 b c))'],
  ['parentheses', '(a + b) * -c', 'i32 a, i32 b, i32 c', '(mul i32 (add i32 a b) (negate i32 c))'],
  ['constants are folded', 'a + (3 + 4) / 2 % 2', 'i32 a', '(add i32 a 1:i32)'],
  ['a choice by a constant', '1 == 1 ? a : b', 'i32 a, i32 b', 'a'],
  [
    'both sides of a choice have one type',
    'a ? b : c',
    'i8 a, i32 b, u32 c',
    '(choose u32 (convert i32 a) (convert u32 b) c)',
  ],
  ['and, or, not', '!a || b && c', 'float a, i32 b, u8 *c', '(or-also i32 (not i32 a) (and-also i32 b c))'],
  ['commas', 'a, b', 'i32 a, i32 b', '(comma a b)'],
  ['pointers count elements', 'p + n', 'const float *p, i32 n', '(offset 4 p n)'],
  ['in both orders', 'n + p', 'const i16 *p, u8 n', '(offset 2 p (convert i32 n))'],
  ['back', 'p - n', 'i16 *p, i32 n', '(offset 2 p (negate i32 n))'],
  ['distances', 'p - q', 'i32 *p, i32 *q', '(div i32 (sub i32 (convert i32 p) (convert i32 q)) 4:i32)'],
  ['elements', 'p[n + 1]', 'float *p, i32 n', '(load f32 (offset 4 p (add i32 n 1:i32)))'],
  ['the address of an element', '&p[n]', 'i16 *p, i32 n', '(offset 2 p n)'],
  ['what is pointed to', '*p++', 'u8 *p', '(load u8 (modify-old *u8 p (offset 1 old 1:i32)))'],
  ['casts of pointers', '*(const float *)(p + 4)', 'u8 *p', '(load f32 (offset 1 p 4:i32))'],
  ['null', '(i32 *)0 == p', 'i32 *p', '(eq i32 (convert *i32 0:i32) p)'],
  ['assignments convert', 'a = b', 'i8 a, float b', '(assign i8 a (convert i8 b))'],
  ['operators that assign', 'a += b', 'u8 a, i32 b', '(modify-new u8 a (convert u8 (add i32 (convert i32 old) b)))'],
  [
    'from right to left',
    'a = b = c',
    'i32 a, i8 b, i32 c',
    '(assign i32 a (convert i32 (assign i8 b (convert i8 c))))',
  ],
  ['steps', '--*p', 'i16 *p', '(modify-new i16 p (convert i16 (sub i32 (convert i32 old) 1:i32)))'],
  ['pointers that move', 'p -= 2', 'f4 *p', '(modify-new *vector p (offset 16 old -2:i32))'],
  ['sizes', 'sizeof(i16) * n + sizeof *p', 'u32 n, i64 *p', '(add u32 (mul u32 2:u32 n) 8:u32)'],
  ['types of values', '(__typeof__(*p))n', 'i16 *p, i32 n', '(convert i16 n)'],
  ['instructions convert too', 'wasm_i16x8_splat(n)', 'i32 n', '(wasm_i16x8_splat (convert i16 n))'],
  ['values that are left', '(void)n', 'i32 n', '(convert void n)'],
];

for (const [what, expression, parameters, tree] of cases) {
  test(what, () => assert.is(showValue(expression, parameters), tree));
}

test('members are parts of memory', () => {
  const before = 'typedef struct { u8 tag; i32 count; f4 *rows[3]; } list;\n';
  assert.is(showValue('l->count', 'list *l', before), '(load i32 (offset 1 l 4:i32))');
  assert.is(showValue('l->rows[n]', 'list *l, i32 n', before), '(load *vector (offset 4 (offset 1 l 8:i32) n))');
  assert.is(showValue('sizeof(list)', 'void', before), '20:u32');
});

test('elements of arrays of arrays', () => {
  const before = 'static const u8 table[2][3] = {{1, 2, 3}, {4, 5, 6}};\n';
  const row = '(offset 3 (address *[3]u8 table) n)';
  assert.is(showValue('table[n][1]', 'i32 n', before), `(load u8 (offset 1 ${row} 1:i32))`);
  assert.is(showValue('table[n]', 'i32 n', before), `(load [3]u8 ${row})`);
  assert.is(showValue('table[n] + 1', 'i32 n', before), `(offset 1 ${row} 1:i32)`);
});

test.run();
