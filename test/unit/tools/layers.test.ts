import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkLayers, LAYERS, layerOf } from '../../../tools/lib/layers.ts';

const declared = { runtime: new Set(['picocolors', 'onnxruntime-web', 'left-pad']), dev: new Set(['uvu']) };
const problems = (files: Record<string, string>): string[] =>
  checkLayers(new Map(Object.entries(files)), declared).map((v) => `${v.file}:${v.line}: ${v.message}`);

test('a downward import passes', () => {
  assert.equal(
    problems({
      'sdk/ir/graph.ts': "import { t } from '../util/tensor.ts';",
      'sdk/util/tensor.ts': 'export const t = 1;',
    }),
    [],
  );
});

test('an upward import is named with its line', () => {
  const found = problems({ 'sdk/util/a.ts': "\n\nimport type { Graph } from '../ir/graph.ts';" });
  assert.equal(found, ['sdk/util/a.ts:3: sdk/util may not import sdk/ir/graph.ts (allowed: nothing outside itself)']);
});

test('a sideways import is refused', () => {
  assert.match(
    problems({ 'sdk/compress/a.ts': "export * from '../compile/b.ts';" })[0]!,
    'sdk/compress may not import sdk/compile/b.ts',
  );
});

test('targets may not import each other, their list may import all', () => {
  assert.match(
    problems({ 'targets/wasm/index.ts': "import '../host/isa.ts';" })[0]!,
    'targets/wasm may not import targets/host/isa.ts',
  );
  assert.equal(
    problems({ 'targets/index.ts': "import './wasm/index.ts';", 'targets/wasm/index.ts': "import './isa.ts';" }),
    [],
  );
});

test('the command line sees the public API only', () => {
  assert.equal(problems({ 'sdk/cli/main.ts': "import '../index.ts'; import '../util/errors.ts';" }), []);
  assert.is(problems({ 'sdk/cli/main.ts': "import '../compile/index.ts';" }).length, 1);
  const api = { 'sdk/index.ts': "export { build } from './app/build.ts';" };
  assert.equal(problems({ ...api, 'sdk/cli/main.ts': "import '../app/build.ts';" }), []);
  assert.is(problems({ ...api, 'sdk/cli/main.ts': "import '../app/other.ts';" }).length, 1);
});

test('nothing in the SDK imports the command line or the testing helpers', () => {
  assert.match(problems({ 'sdk/pipeline.ts': "import './testing/index.ts';" })[0]!, 'may not import sdk/testing');
  assert.match(problems({ 'sdk/index.ts': "import './cli/main.ts';" })[0]!, 'may not import sdk/cli');
});

test('device code must not reach the compiler through another folder', () => {
  const found = problems({
    'sdk/device/agent.ts': "import '../util/bytes.ts';",
    'sdk/util/bytes.ts': "import '../ir/graph.ts';",
    'sdk/ir/graph.ts': '',
  });
  assert.ok(found.some((f) => f.includes('sdk/device reaches sdk/util/bytes.ts -> sdk/ir/graph.ts')));
});

test('a cycle between folders is found whatever the table allows', () => {
  const found = problems({
    'sdk/pipeline.ts': "import './measure/a.ts';",
    'sdk/measure/a.ts': "import '../pipeline.ts';",
  });
  assert.ok(found.some((f) => f.includes('cycle between folders: sdk/pipeline.ts -> sdk/measure -> sdk/pipeline.ts')));
});

test('a folder without a rule is reported', () => {
  assert.match(problems({ 'sdk/misc/a.ts': '' })[0]!, 'no rule for this folder');
});

test('packages: undeclared, wrong place, unlisted, node built-ins', () => {
  assert.match(problems({ 'sdk/cli/a.ts': "import 'chalk';" })[0]!, 'package chalk is not in the dependencies');
  assert.match(
    problems({ 'sdk/compile/a.ts': "import 'onnxruntime-web/wasm';" })[0]!,
    'may only be imported by sdk/measure/oracle',
  );
  assert.match(problems({ 'sdk/cli/a.ts': "import 'left-pad';" })[0]!, 'nobody');
  assert.match(problems({ 'sdk/util/a.ts': "import 'uvu';" })[0]!, 'not in the dependencies');
  assert.equal(
    problems({ 'sdk/util/a.ts': "import { createHash } from 'node:crypto';", 'sdk/cli/a.ts': "import 'picocolors';" }),
    [],
  );
});

test('examples use the package by its name', () => {
  assert.match(
    problems({ 'examples/01-a/demo.ts': "import '../../sdk/index.ts';" })[0]!,
    'examples/01-a may not import sdk/index.ts',
  );
  assert.equal(problems({ 'examples/01-a/demo.ts': "import 'eigenweights'; import 'uvu'; import './render.ts';" }), []);
});

test('the table itself has no cycle among the layers of the data flow', () => {
  const flow = Object.keys(LAYERS).filter(
    (l) => !['sdk/index.ts', 'sdk/pipeline.ts', 'sdk/testing', 'targets/index.ts'].includes(l),
  );
  const depth = (l: string, seen: readonly string[]): void => {
    assert.not(seen.includes(l), `cycle: ${[...seen, l].join(' -> ')}`);
    for (const next of LAYERS[l]!) if (flow.includes(next)) depth(next, [...seen, l]);
  };
  for (const l of flow) depth(l, []);
});

test('the longest rule decides', () => {
  assert.is(layerOf('sdk/pipeline.ts'), 'sdk/pipeline.ts');
  assert.is(layerOf('targets/wasm/a.ts'), 'targets');
  assert.is(layerOf('sdk/utility/a.ts'), undefined);
});

test.run();
