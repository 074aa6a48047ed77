import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Expander } from '../../../../../targets/wasm/cc/macros.ts';
import { preprocess } from '../../../../../targets/wasm/cc/preprocess.ts';
import { LITERAL, Tokens } from '../../../../../targets/wasm/cc/tokens.ts';

/** What is left of the text, with spaces between its tokens. */
function expanded(text: string, ...defines: string[]): string {
  const read = preprocess(text, defines);
  const out = new Tokens(1);
  new Expander(read).expand(0, read.tokens.length, out);
  return [...out.codes.subarray(0, out.length - 1)].map((code) => read.spellings.of(code)).join(' ');
}

const cases: readonly [what: string, text: string, left: string][] = [
  ['operators are as long as they can be', 'a<<=b>>c->d---e', 'a <<= b >> c -> d -- - e'],
  ['numbers', '1.5e-3f .5 0x1e+2 12ull 007', '1.5e-3f .5 0x1e + 2 12ull 007'],
  ['comments', 'a/* b\n */c // d\ne', 'a c e'],
  ['names of one token', '#define a b\n#define c a\nc a d', 'b b d'],
  ['lists', '#define sum(x, y) ((x) + (y))\nsum(1, f(2, 3)) sum', '( ( 1 ) + ( f ( 2 , 3 ) ) ) sum'],
  ['a name before a parenthesis is no list', '#define f (x)\nf(1)', '( x ) ( 1 )'],
  ['arguments are expanded first', '#define one 1\n#define twice(x) x x\ntwice(twice(one))', '1 1 1 1'],
  ['and what they make again', '#define f(x) g(x)\n#define g(x) [x]\n#define h f\nh(1)', '[ 1 ]'],
  ['a macro does not expand itself', '#define f(x) f(x + 1)\n#define a a b\nf(a)', 'f ( a b + 1 )'],
  ['not even in the list of another', '#define f(x) f((x))\n#define g(x) x\ng(f(1))', 'f ( ( 1 ) )'],
  ['a name of a list at the end of a list', '#define f(x) x g\n#define g(y) (y)\nf(1)(2)', '1 ( 2 )'],
  ['lines that go on', 'a \\\n+\\\n b', 'a + b'],
  ['directives that go on are none', '#ifdef a\nb \\\n#else\nc\n#endif\nd', 'd'],
  ['lists over lines', '#define f(x, \\\n  y) \\\n x y\nf(1,\n2)', '1 2'],
  ['empty lists', '#define f() 1\n#define g(x) [x]\nf() g()', '1 [ ]'],
  ['a macro means what it meant there', '#define a 1\na\n#undef a\na\n#define a 2\na', '1 a 2'],
  ['what does not hold is left out', '#define a\n#ifdef a\n1\n#else\n2\n#endif\n#ifndef a\n3\n#else\n4\n#endif', '1 4'],
  ['with what is in it', "#ifdef a\n#ifdef b\n1\n#else\n2\n#endif\n#if x\n'\n#endif\n#else\n3\n#endif", '3'],
  ['and its definitions', '#ifdef a\n#define b 1\n#else\n  #define b 2\n#endif\nb', '2'],
];

for (const [what, text, left] of cases) test(what, () => assert.is(expanded(text), left));

test('definitions from outside', () => {
  assert.is(expanded('#ifdef EW_DOT7\nEW_DOT7 a\n#endif', 'EW_DOT7', 'a=2'), '1 2');
});

test('numbers and names have tokens of their own', () => {
  const { tokens, spellings } = preprocess('17 a 17 a 18', []);
  const [one, a, again, b, other] = tokens.codes;
  assert.is(one, again);
  assert.is(a, b);
  assert.ok((one as number) >= LITERAL && (a as number) < LITERAL && one !== other);
  assert.is(spellings.of(one as number), '17');
});

const refusals: readonly [text: string, message: RegExp][] = [
  ['\n#if 1\n#endif', /line 2: #if 1 is not supported/],
  ['#ifdef a\n', /line 2: #endif is missing/],
  ['\n\n#endif', /line 3: a directive without its #ifdef/],
  ['#ifdef a\n#else\n#else\n#endif', /line 3: a second #else/],
  ['#include <stdio.h>', /line 1: #include <stdio.h> is not supported/],
  ['#define a(x) #x', /line 1: # in a macro/],
  ['#define a {', /line 1: a macro with a brace/],
  ['#define a(1) 2', /line 1: a list of parameters/],
  ['a\n"b\\n"', /line 2: a string with escapes/],
  ["a\n'b'", /line 2: ''' is not expected/],
  ['a\n/* b', /line 2: a comment that does not end/],
  ['#ifdef a\n/*\n#else\n*/\n#endif', /line 2: a comment that does not end/],
  ['a // b \\\nc', /line 1: a comment that goes on/],
  ['#define a // b \\\nc', /line 1: a comment that goes on/],
  ['a -\\\n-b', /line 1: '\\' with no blank/],
  ['a \\ b', /line 1: '\\' is not expected/],
  ['#ifdef a\n1\n#elif 1\n2\n#endif', /line 3: #elif 1 is not supported/],
  ['#\nifdef a', /line 1: # is not supported/],
  ['#define f(x) x\n\nf(1, 2)', /line 3: f with 2 arguments instead of 1/],
  ['#define f(x) x\nf(1', /line 2: f without the end of its arguments/],
];

for (const [text, message] of refusals) {
  test(`refused: ${JSON.stringify(text)}`, () => {
    const error = thrown(() => expanded(text));
    assert.is(error.code, 'EW5002_COMPILER_FAILED');
    assert.match(error.message, message);
  });
}

function thrown(act: () => void): { code?: string; message: string } {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  return { message: 'nothing was thrown' };
}

test.run();
