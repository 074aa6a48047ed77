import { readMetadata } from '../../../sdk/fleet/trust/sign.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import type { Rng } from '../../../sdk/util/rng.ts';
import { signAnything } from '../forged-metadata.ts';
import { KEYS, World } from '../trust-world.ts';
import { blobOf } from '../versions.ts';
import { mutated, mutatedTree, oneOf } from './mutate.ts';
import type { Fate, FuzzTarget } from './target.ts';

const world = await World.make();
await world.assign(2);
const VALID = [1, 2, 3].map((version) => blobOf(version).sha256);
const FILES = await Promise.all(
  (['root', 'timestamp', 'snapshot', 'targets', 'assignment-device'] as const).map(async (role) => {
    const versioned = role !== 'timestamp' && role !== 'assignment-device';
    const { bytes } = (await world.folder.read(role, versioned ? await world.folder.newest(role) : undefined))!;
    return { role, bytes, signed: readMetadata(bytes).signed };
  }),
);
const BYTES = FILES.map((f) => f.bytes);

/** A device is served one file in place of the right one: it refuses that, or what comes out is a bundle that is listed. */
async function served(which: string, bytes: Uint8Array): Promise<Fate> {
  const device = await world.device();
  try {
    const assignment = await device.refresh(
      world.source((role, found) => (role === which ? bytes : found)),
      world.now,
    );
    if (assignment && !VALID.includes(assignment.blob.sha256))
      throw new Error('a bundle that nobody listed is accepted');
    return 'taken';
  } catch (e) {
    if (!isEigenError(e)) throw e;
    if (e.code !== 'EW7006_METADATA_REFUSED' || typeof e.details.attack !== 'string')
      throw new Error(`refused as ${e.code}, without an attack`, { cause: e });
    if (e.message.length > 600) throw new Error('what others wrote is quoted at length', { cause: e });
    return 'refused';
  }
}

const unsigned: FuzzTarget = {
  name: 'metadata',
  share: 15,
  once(rng) {
    const { role, bytes } = oneOf(FILES, rng);
    return served(role, mutated(bytes, BYTES, rng));
  },
};

/** Whoever has the keys of a role writes odd things. */
function odd(rng: Rng): { readonly role: string; readonly bytes: Uint8Array } {
  const { role, signed } = oneOf(FILES, rng);
  const key = role === 'assignment-device' ? 'director' : role;
  // A root that is served is the next one.
  const next = { ...signed, version: signed.version + (role === 'root' || rng.below(2) === 0 ? 1 : 0) };
  const changed = mutatedTree(next, rng);
  const object = typeof changed === 'object' && changed !== null ? changed : {};
  return { role, bytes: signAnything(object, KEYS[key]) };
}

const signed: FuzzTarget = {
  name: 'signed metadata',
  share: 15,
  once(rng) {
    const { role, bytes } = odd(rng);
    return served(role, bytes);
  },
};

export const TRUST_TARGETS: readonly FuzzTarget[] = [unsigned, signed];
