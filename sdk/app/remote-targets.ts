import { Readable } from 'node:stream';
import { isDeepStrictEqual } from 'node:util';
import { refused } from '../device/trust/refusal.ts';
import { type Keyring, LIFETIMES, signTargets, type TargetsContent } from '../fleet/trust/index.ts';
import { EigenError, isEigenError } from '../util/errors.ts';
import type { FleetClient } from './fleet-client.ts';
import { presentTargets, type RemoteFleet } from './remote-metadata.ts';

/** Others that may publish while this does. */
const TRIES = 5;

export interface RemoteSigner extends Omit<RemoteFleet, 'source'> {
  readonly client: FleetClient;
  readonly ring: Keyring;
  readonly signal?: AbortSignal;
}

/** What there is to sign with, and what is trusted, before anything is brought. Throws as `changeTargets` for what cannot be signed here. */
export async function checkSigner(signer: RemoteSigner, role: string, path: string): Promise<void> {
  const { keys, covers } = await presentTargets(fleetOf(signer), role);
  signer.ring.allFor(role, keys);
  if (!covers(path))
    throw new EigenError('EW8105_TARGETS_REFUSED', `${role}: it may not sign for '${path.slice(0, 400)}'`, {
      hint: 'eigenweights keys show prints who may; --role says who signs.',
      details: { role },
    });
}

function fleetOf(signer: RemoteSigner): RemoteFleet {
  const { client, signal } = signer;
  return {
    ...signer,
    source: {
      fetch: (name, version, most) =>
        client.file(`/metadata/${version === undefined ? '' : `${version}.`}${name}.json`, most, signal),
    },
  };
}

/**
 * Changes what a role of targets lists on a controller elsewhere. What it lists now is verified as devices do, changed and signed here,
 * with keys that stay here, and put online by the controller, which verifies it in turn. What is listed already is not signed again.
 * @returns the version that lists it.
 * @throws EigenError EW7006_METADATA_REFUSED for what the controller sends, EW8102_SIGNATURES_MISSING, EW8103_ROLES_INVALID,
 * EW8105_TARGETS_REFUSED, EW8106_TARGETS_OUTDATED, EW5205_CONTROLLER_UNREACHABLE.
 */
export async function changeTargets(
  signer: RemoteSigner,
  role: string,
  change: (targets: TargetsContent['targets']) => TargetsContent['targets'],
): Promise<number> {
  const { client, ring, now, signal } = signer;
  const fleet = fleetOf(signer);
  for (let tries = 1; ; tries++) {
    const { content, keys } = await presentTargets(fleet, role);
    const targets = change(content.targets);
    if (isDeepStrictEqual(targets, content.targets)) return content.version;
    const version = content.version + 1;
    const next = { ...content, version, targets, expires: now() + LIFETIMES.targets };
    const bytes = signTargets(next, ring.allFor(role, keys));
    try {
      await client.put(`/v1/metadata/${role}`, bytes.length, Readable.from([bytes]), signal);
    } catch (e) {
      if (!isEigenError(e) || e.code !== 'EW8106_TARGETS_OUTDATED' || tries >= TRIES) throw e;
      continue;
    }
    // What was signed is remembered, so that nothing older is ever signed again.
    if ((await presentTargets(fleet, role)).content.version >= version) return version;
    throw refused('withheld', role, `the controller has taken version ${version} and does not show it`);
  }
}
