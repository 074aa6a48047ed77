import { dirname, join } from 'node:path';
import { EigenError, isEigenError } from '../util/errors.ts';
import { type FileSystem, hashOf, nodeFileSystem, readBytes, replaceAtomically } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import { type KernelFile, type KernelModule, PLATFORMS, type Platform } from '../wire/kernels.ts';
import { type Manifest, parseManifest } from './manifest.ts';
import { digestText, kernelFile, MANIFEST, MANIFEST_DIGEST } from './names.ts';
import { type Bundle, installWeights, kernelIds, kernelsFor } from './open.ts';
import { tampered } from './tar.ts';

/**
 * The form of a bundle that a device runs from: `<digest>/` with manifest.json, weights.bin (resident bytes, as they are
 * mapped into memory), kernels/..., the golden inputs, and installed.sha256 (sha256sum format) over all of them.
 */
export interface InstalledBundle {
  readonly manifest: Manifest;
  readonly digest: string;
  readonly folder: string;
  /** File of the resident weights, to be mapped. */
  readonly weights: string;
  /** The kernels for a platform, read when asked for. Throws what openInstalled does. */
  kernelsFor(platform: Platform): Promise<KernelModule[]>;
  /** The same where they lie, for engines that load files: those that are not used are not read. */
  kernelFiles(platform: Platform): KernelFile[];
}

const WEIGHTS_BIN = 'weights.bin';
const INSTALLED = 'installed.sha256';

/**
 * Installs a bundle under `dir`, atomically, and returns its folder; what is there already and intact stays.
 * @throws EigenError EW1003_WRITE_FAILED, EW6001/EW6002 when the weights do not decode, EW6005_BUNDLE_INCOMPLETE for a bundle of
 * which a part is missing: what is installed is what the digest says.
 */
export async function installBundle(bundle: Bundle, dir: string, fs: FileSystem = nodeFileSystem): Promise<string> {
  const { received } = bundle;
  if (received)
    throw new EigenError(
      'EW6005_BUNDLE_INCOMPLETE',
      `only ${received.segments} of ${received.segmentsInAll} segments of the bundle's weights are there`,
      { hint: 'Fetch the rest of it, then install it.' },
    );
  const folder = join(dir, bundle.digest);
  if (await isIntact(dir, bundle.digest, fs)) return folder;
  const files = filesOf(bundle);
  await replaceAtomically(folder, fs, async (temporary) => {
    await fs.makeFolder(temporary);
    for (const folder of new Set([...files.keys()].map((name) => dirname(name))))
      await fs.makeFolder(join(temporary, folder));
    for (const [name, bytes] of files) await fs.write(join(temporary, name), bytes);
    // A damaged installation makes room; a whole one was kept above.
    await fs.remove(folder);
  });
  return folder;
}

function filesOf(bundle: Bundle): Map<string, Uint8Array> {
  const encoder = new TextEncoder();
  const files = new Map<string, Uint8Array>([
    [MANIFEST, bundle.manifestBytes],
    [MANIFEST_DIGEST, encoder.encode(digestText(bundle.digest))],
    [WEIGHTS_BIN, installWeights(bundle)],
  ]);
  for (const platform of PLATFORMS)
    for (const kernels of kernelsFor(bundle, platform)) files.set(kernelFile(kernels), kernels.bytes);
  const golden = bundle.manifest.golden?.inputs;
  if (golden !== undefined) files.set(golden, bundle.parts.get(golden)!);
  const sums = [...files].map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`);
  files.set(INSTALLED, encoder.encode(sums.join('')));
  return files;
}

async function isIntact(dir: string, digest: string, fs: FileSystem): Promise<boolean> {
  if (!(await fs.exists(join(dir, digest)))) return false;
  try {
    const installed = await openInstalled(dir, digest, fs);
    for (const platform of PLATFORMS) for (const kernels of installed.kernelFiles(platform)) await kernels.verified();
    return true;
  } catch (e) {
    if (isEigenError(e)) return false;
    throw e;
  }
}

/**
 * Opens what installBundle wrote; the hash of whatever is used is verified, and no more of it is read than that takes.
 * @throws EigenError EW1002_FILE_NOT_FOUND when it is not installed, EW6002_BUNDLE_TAMPERED naming the file.
 */
export async function openInstalled(
  dir: string,
  digest: string,
  fs: FileSystem = nodeFileSystem,
): Promise<InstalledBundle> {
  const folder = join(dir, digest);
  const manifestBytes = await readBytes(join(folder, MANIFEST), fs);
  if (sha256(manifestBytes) !== digest)
    throw tampered(`installed file '${MANIFEST}' does not have the digest ${digest}`);
  const manifest = parseManifest(manifestBytes);
  const sums = parseSums(new TextDecoder().decode(await readBytes(join(folder, INSTALLED), fs)));
  const checked = (name: string, hash: string): string => {
    if (sums.get(name) !== hash) throw tampered(`installed file '${name}' does not have the listed hash`);
    return hash;
  };
  const weights = join(folder, WEIGHTS_BIN);
  checked(WEIGHTS_BIN, await hashOf(weights, fs));
  const ids = kernelIds({ manifest });
  const kernelFiles = (platform: Platform): KernelFile[] =>
    ids
      .filter((id) => id.platform === platform)
      .map((id) => {
        const name = kernelFile(id);
        const file = join(folder, name);
        return { ...id, file, verified: async () => checked(name, await hashOf(file, fs)) };
      });
  const kernelsFor = (platform: Platform): Promise<KernelModule[]> =>
    Promise.all(
      kernelFiles(platform).map(async ({ variant, file }) => {
        const id = { platform, variant };
        const bytes = await readBytes(file, fs);
        checked(kernelFile(id), sha256(bytes));
        return { ...id, bytes };
      }),
    );
  return { manifest, digest, folder, weights, kernelsFor, kernelFiles };
}

function parseSums(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}
