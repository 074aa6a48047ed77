import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { definitionsFor } from '../../../../../sdk/compile/emit/firmware/chunks.ts';

const LIBRARY = `
typedef unsigned u32;
/* twice */
static u32 twice(u32 v) { return v + v; }
#define FOUR(v) twice(twice(v))
#ifdef FAST
static u32 root(u32 v) { return fast(v); }
#else
static u32 root(u32 v) {
  return slow(v);
}
#endif
static const u32 table[2] = {1, 2};
static u32 unused(void) { return table[0]; }
`;

test('what is used is there with its comment, what is not is not', () => {
  const text = definitionsFor('u32 main(void) { return FOUR(1); }', [LIBRARY]);
  assert.is(
    text,
    'typedef unsigned u32;\n/* twice */\nstatic u32 twice(u32 v) { return v + v; }\n#define FOUR(v) twice(twice(v))\n',
  );
});

test('conditional sections come whole', () => {
  const text = definitionsFor('root(2)', [LIBRARY]);
  assert.match(text, /#ifdef FAST\n.*fast[\s\S]*#else[\s\S]*slow[\s\S]*#endif\n$/);
  assert.not.match(text, 'table');
});

test('definitions stand behind those that they use, in whichever library these are', () => {
  const text = definitionsFor('a()', ['static int a(void) { return b(); }', 'static int b(void) { return 1; }']);
  assert.is(text, 'static int b(void) { return 1; }\nstatic int a(void) { return b(); }\n');
});

test('of two definitions the first one counts', () => {
  assert.is(definitionsFor('a', ['#define a 1\n', '#define a 2\n']), '#define a 1\n');
});

test('text that defines nothing is an error', () => {
  assert.throws(() => definitionsFor('a', ['int x;\n']), /no definition begins with: int x;/);
});

test.run();
