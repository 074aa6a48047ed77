import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { functionOf, LINES_BEFORE, parseC, showStatement, showType } from '../../../../support/c-tree.ts';

test('a unit is what functions that are not static need, in its order', () => {
  const unit = parseC(`
    static const float table[] = {1, 2.5f};
    static const u8 unused[] = {1};
    static i32 helper(i32 n) { return n + 1; }
    static i32 other(i32 n) { return n; }
    static float look(i32 i) { return table[i]; }
    void g(float *p);
    void f(float *p, i32 n) { *p = look(helper(n)); g(p); }
    void g(float *p) { f(p, 0); }`);
  assert.equal(
    unit.functions.map((f) => f.name),
    ['helper', 'look', 'f', 'g'],
  );
  assert.equal(
    unit.functions.map((f) => f.external ?? false),
    [false, false, true, true],
  );
  assert.equal(
    unit.globals.map((v) => `${v.name} ${showType(v.type)}`),
    ['table [2]f32'],
  );
});

test('calls convert arguments', () => {
  const unit = parseC('static float add(float a, i8 b) { return a + b; } float f(i32 n) { return add(n, n); }');
  const { body } = functionOf(unit, 'f');
  assert.is(body && showStatement(body), '{return (add (convert f32 n) (convert i8 n));}');
});

test('how functions are to be inlined', () => {
  const unit = parseC(`static inline __attribute__((always_inline)) void a(void) {}
    static __attribute__((noinline)) void b(void) {} static void c(void) {} void f(void) { a(); b(); c(); }`);
  assert.equal(
    unit.functions.map((f) => f.inline),
    ['always', 'never', 'auto', 'auto'],
  );
});

test('bytes of tables', () => {
  const unit = parseC(`static const i16 a[2][3] = {{1, -2}, {0x7fff, 1 << 4, 3,},};
    void f(i32 n) {
      static const struct { u8 tag; float x[2]; i64 wide; } b = {200, {-0.5f, 1e10}, -2}; static const u8 c[] = {1, sizeof(i32), (u8)257};
      (void)a; (void)b; (void)c;
    }
    __attribute__((weak)) i32 zeros;`);
  const data = Object.fromEntries(unit.globals.map((v) => [v.name, v.data && Buffer.from(v.data).toString('hex')]));
  assert.equal(data, {
    a: '0100feff0000ff7f10000300',
    b: 'c8000000000000bff902155000000000feffffffffffffff',
    c: '010401',
    zeros: undefined,
  });
  assert.is(unit.globals.find((v) => v.name === 'zeros')?.external, true);
});

test('names are looked up where they are used, parameters before globals', () => {
  const unit = parseC('static const i32 n[2] = {1, 2}; i32 f(i32 n) { return n; } i32 g(void) { return n[1]; }');
  const { body } = functionOf(unit, 'f');
  assert.is(body && showStatement(body), '{return n;}');
  assert.is(unit.globals.length, 1);
});

const refusals: readonly [what: string, source: string, line: number, message: RegExp][] = [
  ['names', 'void f(void) {\n  x = 1; }', 2, /'x' is not declared/],
  ['functions', 'void f(void) {\n  g(); }', 2, /'g' is not declared/],
  ['functions without a body', 'void g(void); void f(void) { g(); }', 1, /'g' is not defined/],
  ['types', 'void f(long long long n) {}', 1, /a type/],
  ['int as a pointer', 'void f(i32 *p) {\n\n  p = 4; }', 3, /i32 where i32 \* is wanted/],
  ['a pointer as an int', 'i32 f(i32 *p) { return p; }', 1, /i32 \* where i32 is wanted/],
  ['vectors in arithmetic', 'void f(f4 a) {\n a + a; }', 2, /add of v128_t and v128_t/],
  ['remainders of floats', 'void f(float a) { a % a; }', 1, /rem of float and float/],
  ['values that are written to', 'void f(i32 a) { a + 1 = 2; }', 1, /cannot be written to/],
  ['too few arguments', 'void g(i32 a) {} void f(void) { g(); }', 1, /'g' takes 1 argument/],
  ['goto', 'void f(void) { goto end; }', 1, /an expression was expected instead of 'goto'/],
  ['missing semicolons', 'void f(void) { i32 a = 1 }', 1, /';' was expected instead of '}'/],
  ['braces', 'void f(void) {', 1, /not closed/],
  ['lists that are too long', 'static const i32 a[1] = {1,\n2}; i32 f(void) { return a[0]; }', 2, /more than 1/],
  ['tables of what is not constant', 'static i32 a;\nstatic i32 b = a; i32 f(void) { return b; }', 2, /a constant/],
  ['names of structs', 'struct s { i32 a; };', 1, /a name of its own/],
  ['structs as arguments', 'typedef struct { i32 a; } s; void f(s a) {}', 1, /parameter/],
  ['bodies again', 'void f(void) {}\nvoid f(void) {}', 2, /defined again/],
  ['globals again', 'i32 a;\ni32 a;', 2, /declared again/],
  ['attributes', '__attribute__((packed)) i32 a;', 1, /attribute packed/],
  ['values of lists', 'void f(void) { (i32[2]){1, 2}; }', 1, /a value of a list/],
  ['calls of values', 'void f(i32 *p) { p[0](1); }', 1, /a call of a value/],
  ['cases inside of statements', 'void f(i32 n) { switch (n) { if (n) { case 1: n = 2; } } }', 1, /instead of 'case'/],
  ['other assembly', 'void f(i32 a) {\n __asm__("nop"); }', 2, /"" was expected instead of '"nop"'/],
  ['values that assembly makes', 'void f(i32 a) { __asm__("" : "=r"(a)); }', 1, /"\+r" was expected/],
  ['other pragmas', 'void f(void) { _Pragma("x") for (;;) break; }', 1, /clang loop unroll/],
  [
    'choices of pointers to different types',
    'void f(i32 *p, void *q) { p ? p : q; }',
    1,
    /a choice of i32 \* and void \*/,
  ],
  ['writes to what has no type', 'void f(void *p) { *p = 1; }', 1, /cannot be written to/],
  [
    'functions that were declared otherwise',
    'static float g(void);\nstatic i32 g(void) { return 1; }',
    2,
    /'g' is declared/,
  ],
  ['parameters that were', 'static i32 g(u8 a);\nstatic i32 g(i32 a) { return a; }', 2, /'g' is declared otherwise/],
  ['values that are structs', 'typedef struct { i32 a; } s;\nstatic s g(s *p) { return *p; }', 2, /value is a record/],
  ['lengths below 0', 'void f(void) { i32 a[1 - 2]; }', 1, /an array of -1 values/],
  ['nothing returned', 'i32 f(void) { return; }', 1, /a return without a value/],
];

for (const [what, source, line, message] of refusals) {
  test(`refused: ${what}`, () => {
    try {
      parseC(source);
    } catch (error) {
      const { code, message: said } = error as { code?: string; message: string };
      assert.is(code, 'EW5002_COMPILER_FAILED');
      assert.match(said, message);
      assert.ok(said.includes(`line ${line + LINES_BEFORE}:`), said);
      return;
    }
    assert.unreachable();
  });
}

test.run();
