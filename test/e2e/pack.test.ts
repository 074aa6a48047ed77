// timeout: 420
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { projectRoot } from '../support/shared.ts';

/** The package as a user gets it: packed, installed in an empty folder, used from there. */

let folder = '';
const run = (command: string, args: readonly string[], cwd = folder): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 64 << 20 });
const ew = (...args: string[]): string => run(join(folder, 'node_modules/.bin/ew'), args);

interface PackageJson {
  readonly version: string;
  readonly exports: Readonly<Record<string, unknown>>;
}
const pkg = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8')) as PackageJson;
const subPaths = Object.keys(pkg.exports).filter((p) => p !== './package.json');
const specifier = (subPath: string): string => `eigenweights${subPath.slice(1)}`;

test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'eigenweights-pack-'));
  run('npm', ['pack', '--pack-destination', folder], projectRoot);
  const [tarball] = readdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  run('npm', ['install', '--no-audit', '--no-fund', `./${tarball}`]);
});

test.after(() => rmSync(folder, { recursive: true, force: true }));

test('the package holds what runs, the profiles and the papers, and no tests or sources', () => {
  const files = readdirSync(join(folder, 'node_modules/eigenweights'), { recursive: true, encoding: 'utf8' });
  for (const wanted of [
    'LICENSE',
    'README.md',
    'CHANGELOG.md',
    'ARCHITECTURE.md',
    'profiles/host.json',
    'profiles/schema.json',
    'dist/sdk/index.d.ts',
  ]) {
    assert.ok(files.includes(wanted), wanted);
  }
  const unwanted = files.filter(
    (f) => /\.test\.|(^|\/)(test|tools|examples)\/|(?<!\.d)\.ts$/.test(f) && !f.includes('node_modules'),
  );
  assert.equal(unwanted, []);
});

test('both names of the command run', () => {
  assert.is(ew('--version').trim(), pkg.version);
  assert.is(run(join(folder, 'node_modules/.bin/eigenweights'), ['--version']).trim(), pkg.version);
});

test('the profiles are found in the installed package', () => {
  const { ok, data } = JSON.parse(ew('targets', '--json'));
  assert.ok(ok);
  assert.ok(data.targets.some((t: { id: string }) => t.id === 'raspberry-pi-4b'));
});

test('every sub-path imports', () => {
  for (const path of subPaths) {
    const out = run(process.execPath, [
      '-e',
      `import('${specifier(path)}').then((m) => console.log(Object.keys(m).length))`,
    ]);
    assert.ok(Number(out) > 0, path);
  }
});

test('the types of every sub-path hold in a strict consumer', () => {
  const imports = subPaths.map((p, i) => `import * as m${i} from '${specifier(p)}';`).join('\n');
  const use = `import { EigenError, type Tensor } from 'eigenweights';
const t: Tensor = { dtype: 'f32', shape: [1], data: Float32Array.of(1) };
export const code: string = new EigenError('EW1001_USAGE', String(t.shape)).code;
export const all = [${subPaths.map((_, i) => `m${i}`).join(', ')}];`;
  writeFileSync(join(folder, 'consumer.ts'), `${imports}\n${use}\n`);
  const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  const typeRoots = ['--typeRoots', join(projectRoot, 'node_modules/@types')];
  const tsc = join(projectRoot, 'node_modules/typescript/bin/tsc');
  run(process.execPath, [tsc, ...flags, ...typeRoots, 'consumer.ts']);
});

test.run();
