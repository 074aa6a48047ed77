import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import { readBytes } from '../../util/files.ts';
import { makeFolder } from '../../util/folders.ts';
import { keyUnusable, type PublicKey, publicKeyFromPem, publicPem, Signer } from './keys.ts';

/** The secret keys that are at hand. */
export class Keyring {
  private readonly held = new Map<string, Signer>();

  constructor(signers: Iterable<Signer> = []) {
    for (const signer of signers) this.add(signer);
  }

  add(signer: Signer): void {
    this.held.set(signer.key.id, signer);
  }

  /** Those of these keys. */
  all(keys: readonly PublicKey[]): Signer[] {
    return [...new Set(keys.flatMap(({ id }) => this.held.get(id) ?? []))];
  }

  /** Those that can sign for a role, no more than its threshold asks for. */
  for({ keys, threshold }: { readonly keys: readonly PublicKey[]; readonly threshold: number }): Signer[] {
    return this.all(keys).slice(0, threshold);
  }

  /**
   * The same, where all that are needed are here.
   * @throws EigenError EW8102_SIGNATURES_MISSING.
   */
  allFor(role: string, by: { readonly keys: readonly PublicKey[]; readonly threshold: number }): Signer[] {
    const signers = this.for(by);
    if (signers.length < by.threshold)
      throw new EigenError(
        'EW8102_SIGNATURES_MISSING',
        `${role}: ${signers.length} of the ${by.threshold} keys that have to sign are at hand`,
        {
          hint: `The keys are ${by.keys.map((key) => key.id.slice(0, 8)).join(', ')}: name the files or folders that hold them.`,
          details: { role, here: signers.length, needed: by.threshold },
        },
      );
    return signers;
  }

  has({ id }: PublicKey): boolean {
    return this.held.has(id);
  }

  signers(): Iterable<Signer> {
    return this.held.values();
  }
}

const SUFFIX = '.pem';
/** Bits of the mode that let others than the owner read or write. */
const OTHERS = 0o077;

/** Of public halves: a folder of keys may have them too. */
const PUBLIC_SUFFIX = '.pub';

/** Writes a secret key to a file of its own, which must not be there: mode 0600 from its first moment. @returns its path. */
export function writeKey(folder: string, name: string, signer: Signer): Promise<string> {
  return writeNew(folder, `${name}-${signer.key.id.slice(0, 8)}${SUFFIX}`, { text: signer.exportPem(), mode: 0o600 });
}

/** Writes a public key to a file of its own, for others. @returns its path. */
export function writePublicKey(folder: string, name: string, key: PublicKey): Promise<string> {
  return writeNew(folder, `${name}-${key.id.slice(0, 8)}${PUBLIC_SUFFIX}`, { text: publicPem(key), mode: 0o644 });
}

async function writeNew(folder: string, name: string, content: { readonly text: string; readonly mode: number }) {
  const path = join(folder, name);
  await makeFolder(folder, 0o700);
  const file = await open(path, 'wx', content.mode);
  try {
    await file.writeFile(content.text);
    await file.sync();
  } finally {
    await file.close();
  }
  return path;
}

/** @throws EigenError EW8101_KEY_UNUSABLE; EW1002_FILE_NOT_FOUND. */
export async function readPublicKey(path: string): Promise<PublicKey> {
  return publicKeyFromPem(new TextDecoder().decode(await readBytes(path)), path);
}

/** @throws EigenError EW8101_KEY_UNUSABLE, also where others may read the file; EW1002_FILE_NOT_FOUND. */
export async function readKey(path: string): Promise<Signer> {
  const pem = new TextDecoder().decode(await readBytes(path));
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & OTHERS) !== 0)
    throw keyUnusable(path, `its mode is ${(mode & 0o777).toString(8)}, others may read it: chmod 600`);
  return Signer.fromPem(pem, path);
}

/** The keys of a text with any number of them, one PEM block after another. @throws EigenError EW8101_KEY_UNUSABLE. */
export function signersIn(text: string, where: string): Signer[] {
  const blocks = text.match(/-----BEGIN [^-]+-----[^-]*-----END [^-]+-----/g) ?? [];
  if (blocks.length === 0 && text.trim() !== '') throw keyUnusable(where, 'there is no key in PEM form');
  return blocks.map((pem) => Signer.fromPem(pem, where));
}

/** All keys in files and folders; a folder that is not there has none. */
export async function readKeys(paths: readonly string[]): Promise<Keyring> {
  const ring = new Keyring();
  for (const path of paths) for (const file of await keyFiles(path)) ring.add(await readKey(file));
  return ring;
}

async function keyFiles(path: string): Promise<string[]> {
  const found = await stat(path).catch(() => undefined);
  if (!found && !path.endsWith(SUFFIX)) return [];
  if (!found?.isDirectory()) return [path];
  return (await readdir(path))
    .filter((name) => name.endsWith(SUFFIX))
    .sort()
    .map((name) => join(path, name));
}
