import { type PublicKey, readForeignRoot, Signer, signRoot, writeKey, writePublicKey } from '../fleet/trust/index.ts';
import { EigenError } from '../util/errors.ts';
import { readBytes, writeAtomic } from '../util/files.ts';
import { type KeysRequest, ringFrom } from './key-files.ts';

/** A key that somebody holds for a fleet: the secret half stays with them, the public one goes to who makes the root. */
export interface NewKey {
  readonly id: string;
  readonly secret: string;
  readonly public: string;
}

/** Makes a key of one's own, in two files. */
export async function newKey(folder: string): Promise<NewKey> {
  const signer = Signer.generate();
  const secret = await writeKey(folder, 'key', signer);
  return { id: signer.key.id, secret, public: await writePublicKey(folder, 'key', signer.key) };
}

/** What somebody signs who has a root file only: who signs what by it. */
export interface SignedRoot {
  readonly version: number;
  readonly roles: readonly { readonly role: string; readonly threshold: number; readonly keys: readonly string[] }[];
  /** Keys that have signed it now. */
  readonly by: readonly string[];
}

/**
 * Signs a root file in its place, away from the fleet: a copy of staged/root.json.
 * @throws EigenError EW8102_SIGNATURES_MISSING where no key is at hand, EW8103_ROLES_INVALID for another file.
 */
export async function signRootFile(file: string, request: Pick<KeysRequest, 'keys' | 'pem'>): Promise<SignedRoot> {
  const root = readForeignRoot(await readBytes(file), file);
  const signers = [...(await ringFrom(request.keys ?? [], request.pem)).signers()];
  if (signers.length === 0)
    throw new EigenError('EW8102_SIGNATURES_MISSING', `${file}: no key is at hand to sign it with`, {
      hint: 'Name the file that holds yours: --key PATH.',
      details: { file },
    });
  await writeAtomic(file, signRoot(root, signers).bytes);
  const ids = (keys: readonly PublicKey[]): string[] => keys.map((key) => key.id);
  const { version, roles } = root.content;
  return {
    version,
    roles: Object.entries(roles).map(([role, { threshold, keys }]) => ({ role, threshold, keys: ids(keys) })),
    by: ids(signers.map((s) => s.key)),
  };
}
