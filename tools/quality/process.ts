import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Milliseconds between two looks at the memory. */
const SAMPLING = 50;

export interface Ended {
  /** What went wrong, or ''. */
  readonly error: string;
  /** Most memory that the process and those it started had at one time, bytes resident; 0 where the system does not tell. */
  readonly treeBytes: number;
}

/** child.ts as plain JavaScript, as the package is shipped: a TypeScript loader takes half a second and 50 MB. */
export async function bundleChild(root: string, out: string): Promise<string> {
  const outfile = join(out, 'child.mjs');
  await build({
    entryPoints: [join(root, 'tools/quality/child.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}

/** Runs a step in a process of its own, with more in its environment. */
export function runChild(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((done, fail) => {
    const p = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    let treeBytes = 0;
    const timer = setInterval(() => {
      treeBytes = Math.max(treeBytes, residentOfTree(p.pid!));
    }, SAMPLING);
    let tail = '';
    p.stderr.on('data', (text: Buffer) => {
      process.stderr.write(text);
      tail = (tail + text).slice(-4000);
    });
    p.on('error', fail);
    p.on('close', (code) => {
      clearInterval(timer);
      done({ error: code === 0 ? '' : tail.trim() || `exit code ${code}`, treeBytes });
    });
  });
}

/**
 * Bytes in memory of a process and all it started, by /proc: what each has for itself, and pages of files once, which are those of Node's
 * program and its libraries in all of them.
 */
function residentOfTree(root: number): number {
  const parents = new Map<number, number>();
  const resident = new Map<number, { own: number; files: number }>();
  for (const entry of entries('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const status = read(`/proc/${pid}/status`);
    const bytes = (name: string): number =>
      1024 * Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    parents.set(pid, Number(/^PPid:\s+(\d+)/m.exec(status)?.[1] ?? 0));
    resident.set(pid, { own: bytes('RssAnon') + bytes('RssShmem'), files: bytes('RssFile') });
  }
  const within = (pid: number | undefined): boolean => pid === root || (!!pid && within(parents.get(pid)));
  const tree = [...resident].filter(([pid]) => within(pid)).map(([, r]) => r);
  return tree.reduce((sum, r) => sum + r.own, 0) + Math.max(0, ...tree.map((r) => r.files));
}

function entries(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A process may be gone by now. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
