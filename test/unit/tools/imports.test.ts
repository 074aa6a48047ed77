import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { importsOf } from '../../../tools/lib/imports.ts';

const names = (source: string): string[] => importsOf(source).map((i) => i.specifier);

test('static, type, side-effect and re-export forms', () => {
  const source = `import a from './a.ts';
import type { B } from "./b.ts";
import * as c from './c.ts';
import './d.ts';
export { e } from './e.ts';
export * from './f.ts';
export type { G } from './g.ts';
`;
  assert.equal(names(source), ['./a.ts', './b.ts', './c.ts', './d.ts', './e.ts', './f.ts', './g.ts']);
});

test('multi-line imports report the place of the specifier', () => {
  const source = "\nimport {\n  a,\n  // './not.ts'\n  type B,\n} from './a.ts';\n";
  assert.equal(importsOf(source), [{ specifier: './a.ts', line: 6, at: source.indexOf('./a.ts') }]);
});

test('dynamic imports and imports in type position', () => {
  assert.equal(names("const m = await import(\n  './heavy.ts'\n);\ntype T = import('./t.ts').T;"), [
    './heavy.ts',
    './t.ts',
  ]);
});

test('comments, strings, templates and regexes are not code', () => {
  const source = `// import x from './no1.ts';
/* import x from './no2.ts'; */
const s = "import x from './no3.ts'";
const t = \`import x from './no4.ts' \${f("import y from './no5.ts'")}\`;
const r = /import x from '.\\/no6[/'"]ts'/;
const half = 4 / 2; // '
import z from './yes.ts';
`;
  assert.equal(names(source), ['./yes.ts']);
});

test('an export before an unrelated import does not swallow it', () => {
  assert.equal(names("export const a = 1\nexport function f() { return 'x' }\nimport b from './b.ts'"), ['./b.ts']);
});

test.run();
