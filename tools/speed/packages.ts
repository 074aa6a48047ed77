import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '../../sdk/util/cache.ts';

const call = promisify(execFile);

/**
 * Competitors that are no dependencies of this package: onnxruntime-node because its install script downloads GPU libraries, TensorFlow.js
 * because nothing but this comparison needs it. What the registry delivers is enough to run both.
 */
const PACKAGES: Readonly<Record<string, string>> = {
  'onnxruntime-node': '1.30.0',
  '@tensorflow/tfjs-core': '4.22.0',
  '@tensorflow/tfjs-backend-wasm': '4.22.0',
};

/** Where they are installed: beside the cache of compiled kernels. */
export const COMPETITORS = join(cacheFolder() ?? join(tmpdir(), 'eigenweights'), 'bench');

/** Installs what is missing and says so; resolves to why that was not possible, or ''. */
export async function installCompetitors(tell: (text: string) => void): Promise<string> {
  const missing: string[] = [];
  for (const [name, version] of Object.entries(PACKAGES)) {
    if ((await installedVersion(name)) !== version) missing.push(`${name}@${version}`);
  }
  if (missing.length === 0) return '';
  tell(`installs ${missing.join(', ')} into ${COMPETITORS}`);
  await mkdir(COMPETITORS, { recursive: true });
  const manifest = join(COMPETITORS, 'package.json');
  if (!existsSync(manifest)) await writeFile(manifest, '{ "private": true }\n');
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', COMPETITORS, ...missing];
  return call('npm', args).then(
    () => '',
    (cause: Error) => `npm could not install ${missing.join(', ')}: ${cause.message.trim().split('\n').at(-1)}`,
  );
}

/** Version of a competitor in the cache; undefined when it is not there. */
export async function installedVersion(name: string): Promise<string | undefined> {
  const path = join(COMPETITORS, 'node_modules', name, 'package.json');
  if (!existsSync(path)) return undefined;
  return (JSON.parse(await readFile(path, 'utf8')) as { version: string }).version;
}

export interface NodeBinary {
  readonly path: string;
  /** As `24.21.0`. */
  readonly version: string;
}

/** A Node of a major version: this one, or the one that npx fetches. Undefined when there is none. */
export async function nodeOf(major: number): Promise<NodeBinary | undefined> {
  const here = process.versions.node;
  if (Number(here.split('.')[0]) === major) return { path: process.execPath, version: here };
  const script = 'JSON.stringify({ path: process.execPath, version: process.versions.node })';
  return call('npx', ['-y', '-p', `node@${major}`, 'node', '-p', script]).then(
    ({ stdout }) => JSON.parse(stdout) as NodeBinary,
    () => undefined,
  );
}
