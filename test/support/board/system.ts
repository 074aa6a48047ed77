import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { fetchArm64Node, putInPlace } from '../arm64-node.ts';
import { type CpioEntry, packCpio } from './cpio.ts';

/** What a board boots: the kernel, a first file system in memory, and the image of a second one with Node. */
export interface BoardSystem {
  readonly kernel: string;
  readonly initrd: string;
  readonly image: string;
}

const KERNEL = 'linux-image-cloud-arm64';
const PACKAGES = ['busybox-static', 'libc6', 'libstdc++6', 'libgcc-s1'];
/** In this order, each needs those before. */
const MODULES = [
  ...['virtio_ring', 'virtio', 'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci'],
  ...['failover', 'net_failover', 'virtio_net', 'virtio_blk', 'virtio-rng'],
];
/** Bumped when what is made below changes. */
const VERSION = 2;

const TOOLS: Readonly<Record<string, string>> = {
  'qemu-system-aarch64': 'qemu-system-arm',
  mke2fs: 'e2fsprogs',
  'dpkg-deb': 'dpkg',
  'apt-get': 'apt',
};

/** Some are where only administrators look. */
const ENVIRONMENT = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** What is not installed that a virtual board needs; undefined when all is there. */
export function missingForBoard(): string | undefined {
  const lacks = (tool: string) => spawnSync(tool, ['--version'], { env: ENVIRONMENT }).error !== undefined;
  const absent = Object.entries(TOOLS).filter(([tool]) => lacks(tool));
  return absent.length === 0 ? undefined : absent.map(([tool, debian]) => `${tool} (apt install ${debian})`).join(', ');
}

/**
 * The system, made once a cache of Debian's packages for arm64 and of Node from npm; nothing is installed on this machine. Undefined where
 * they cannot be fetched.
 */
export function boardSystem(cache: string): BoardSystem | undefined {
  const node = fetchArm64Node(cache);
  if (node === undefined) return undefined;
  const folder = join(cache, `board-${VERSION}-${basename(node)}`);
  if (!existsSync(folder)) {
    const fresh = `${folder}.${process.pid}`;
    const work = mkdtempSync(join(tmpdir(), 'eigenweights-system-'));
    try {
      const debian = join(work, 'debian');
      if (!unpackDebian(work, debian)) return undefined;
      mkdirSync(fresh, { recursive: true });
      copyFileSync(only(join(debian, 'boot'), /^vmlinuz/), join(fresh, 'kernel'));
      writeFileSync(join(fresh, 'initrd'), gzipSync(firstFiles(debian)));
      makeSystem(debian, node, work, join(fresh, 'system.img'));
      putInPlace(fresh, folder);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
      rmSync(work, { recursive: true, force: true });
    }
  }
  return { kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd'), image: join(folder, 'system.img') };
}

/** Packages for the other processor in a folder, by lists of packages of its own: those of this machine are left alone. */
function unpackDebian(work: string, into: string): boolean {
  for (const part of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(work, part), { recursive: true });
  writeFileSync(join(work, 'status'), '');
  const config = [
    'APT::Architecture "arm64";',
    'APT::Architectures { "arm64"; };',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    'APT::Sandbox::User "";',
    `Dir::State::lists "${work}/lists";`,
    `Dir::State::status "${work}/status";`,
    `Dir::Cache "${work}/cache";`,
  ];
  writeFileSync(join(work, 'apt.conf'), config.join('\n'));
  const env = { ...ENVIRONMENT, APT_CONFIG: join(work, 'apt.conf') };
  const debs = join(work, 'debs');
  const run = (command: string, ...args: string[]) =>
    spawnSync(command, args, { cwd: debs, env, encoding: 'utf8', timeout: 300_000 });
  if (run('apt-get', '-q', 'update').status !== 0) return false;
  const kernel = /Depends: (linux-image-\S+)/.exec(run('apt-cache', 'depends', KERNEL).stdout)?.[1];
  if (kernel === undefined || run('apt-get', '-q', 'download', kernel, ...PACKAGES).status !== 0) return false;
  return readdirSync(debs).every((deb) => run('dpkg-deb', '-x', deb, into).status === 0);
}

/** BusyBox and the modules of the kernel; what is started first comes with a board. */
function firstFiles(debian: string): Uint8Array {
  const folders = ['bin', 'modules', 'proc', 'sys', 'dev', 'tmp', 'system', 'data'];
  const modules = readdirSync(join(debian, 'lib/modules'), { recursive: true, encoding: 'utf8' });
  const built = MODULES.flatMap((name): { name: string; bytes: Uint8Array }[] => {
    const path = modules.find((m) => basename(m) === `${name}.ko`);
    // Some kernels have it built in.
    return path === undefined ? [] : [{ name, bytes: readFileSync(join(debian, 'lib/modules', path)) }];
  });
  const entries: CpioEntry[] = [
    ...folders.map((path) => ({ path })),
    { path: 'bin/busybox', bytes: readFileSync(join(debian, 'bin/busybox')), executable: true },
    ...built.map(({ name, bytes }) => ({ path: `modules/${name}.ko`, bytes })),
    { path: 'modules/order', bytes: Buffer.from(built.map((m) => `${m.name}\n`).join('')) },
    { path: 'lib', link: '/system/lib' },
    // Where an agent looks for native parts.
    { path: 'node_modules', link: '/system/node_modules' },
  ];
  return packCpio(entries);
}

/** A file system with Node, what it links to, and koffi. */
function makeSystem(debian: string, node: string, work: string, image: string): void {
  const root = join(work, 'root');
  const lib = join(root, 'lib');
  mkdirSync(join(root, 'bin'), { recursive: true });
  copyFileSync(join(node, 'package/bin/node'), join(root, 'bin/node'));
  cpSync(join(node, 'node_modules'), join(root, 'node_modules'), { recursive: true });
  cpSync(join(debian, 'lib/aarch64-linux-gnu'), lib, { recursive: true, dereference: true });
  cpSync(join(debian, 'usr/lib/aarch64-linux-gnu'), lib, { recursive: true, dereference: true });
  symlinkSync('.', join(lib, 'aarch64-linux-gnu'));
  makeFileSystem(root, image, 192);
}

/** A new ext4 file system in a file, with what is in a folder. */
export function makeFileSystem(folder: string, image: string, megabytes: number): void {
  const words = ['-q', '-t', 'ext4', '-d', folder, image, `${megabytes}M`];
  const made = spawnSync('mke2fs', words, { encoding: 'utf8', env: ENVIRONMENT });
  if (made.status !== 0) throw new Error(`mke2fs: ${made.stderr}`);
}

function only(folder: string, name: RegExp): string {
  return join(folder, readdirSync(folder).find((file) => name.test(file))!);
}
