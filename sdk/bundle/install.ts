import { dirname, join } from 'node:path';
import { EigenError, isEigenError } from '../util/errors.ts';
import { type FileSystem, nodeFileSystem, readBytes, replaceAtomically } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import { type KernelModule, PLATFORMS } from '../wire/kernels.ts';
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
  /** program.weightBytes bytes. */
  readonly weights: Uint8Array;
  readonly kernels: readonly KernelModule[];
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
    await openInstalled(dir, digest, fs);
    return true;
  } catch (e) {
    if (isEigenError(e)) return false;
    throw e;
  }
}

/**
 * Opens what installBundle wrote, every hash verified.
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
  const read = async (name: string): Promise<Uint8Array> => {
    const bytes = await readBytes(join(folder, name), fs);
    if (sums.get(name) !== sha256(bytes)) throw tampered(`installed file '${name}' does not have the listed hash`);
    return bytes;
  };
  const weights = await read(WEIGHTS_BIN);
  if (weights.length !== manifest.program.weightBytes)
    throw tampered(`installed file '${WEIGHTS_BIN}' has a wrong size`);
  const kernels: KernelModule[] = [];
  for (const id of kernelIds({ manifest })) kernels.push({ ...id, bytes: await read(kernelFile(id)) });
  return { manifest, digest, folder, weights, kernels };
}

function parseSums(text: string): Map<string, string> {
  const lines = text.split('\n').filter((line) => line !== '');
  return new Map(lines.map((line) => [line.slice(66), line.slice(0, 64)]));
}
