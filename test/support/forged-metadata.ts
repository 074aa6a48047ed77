import type { Signer } from '../../sdk/fleet/trust/index.ts';
import { metaJson, readMetadata } from '../../sdk/fleet/trust/sign.ts';
import { assignmentRole } from '../../sdk/wire/metadata.ts';
import { KEYS, type World } from './trust-world.ts';

/** What somebody makes of a file who holds some keys. */
export interface Forgery {
  /** Fields of the signed part that are other than they were. */
  readonly change?: Readonly<Record<string, unknown>>;
  /** Whose keys sign it; none strips the signatures. */
  readonly by: readonly Signer[];
}

/** The newest file of a role, changed and signed again; members that become undefined are gone. */
export async function forged(world: World, role: string, { change = {}, by }: Forgery): Promise<Uint8Array> {
  const versioned = role !== 'timestamp' && !role.startsWith('assignment-');
  const file = await world.folder.read(role, versioned ? await world.folder.newest(role) : undefined);
  return signAnything({ ...readMetadata(file!.bytes).signed, ...change }, by);
}

/** Signs also what is no metadata. */
export function signAnything(signed: object, by: readonly Signer[]): Uint8Array {
  const text = JSON.stringify(signed);
  const data = new TextEncoder().encode(canonical(JSON.parse(text)));
  const signatures = by.map((signer) => signer.sign(data).toJSON());
  return new TextEncoder().encode(`{"signed":${text},"signatures":${JSON.stringify(signatures)}}`);
}

/** JSON with sorted keys and no blanks: what is signed. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`).join()}}`;
}

export async function forgeTimestamp(world: World, forgery: Forgery): Promise<void> {
  const { version } = readMetadata((await world.folder.read('timestamp'))!.bytes).signed;
  const change = { version: version + 1, ...forgery.change };
  await world.folder.write('timestamp', await forged(world, 'timestamp', { ...forgery, change }));
}

/** With a timestamp that leads to it. */
export async function forgeSnapshot(world: World, forgery: Forgery, said: object = {}): Promise<void> {
  const version = (await world.folder.newest('snapshot')) + 1;
  const bytes = await forged(world, 'snapshot', { ...forgery, change: { version, ...forgery.change } });
  await world.folder.write('snapshot', bytes, version);
  const meta = { 'snapshot.json': { ...metaJson(version, bytes), ...said } };
  await forgeTimestamp(world, { change: { meta }, by: KEYS.timestamp });
}

/** With a snapshot and a timestamp that lead to it: both keys are online. */
export async function forgeTargets(world: World, role: string, forgery: Forgery, said: object = {}): Promise<void> {
  const version = (await world.folder.newest(role)) + 1;
  const bytes = await forged(world, role, { ...forgery, change: { version, ...forgery.change } });
  await leadTo(world, role, { version, bytes, said });
}

/** Puts a file of a role of targets where devices look for it. */
export async function leadTo(
  world: World,
  role: string,
  { version, bytes, said }: { readonly version: number; readonly bytes: Uint8Array; readonly said?: object },
): Promise<void> {
  if (!role.includes('/')) await world.folder.write(role, bytes, version);
  const { signed } = readMetadata((await world.folder.read('snapshot', await world.folder.newest('snapshot')))!.bytes);
  const meta = { ...(signed.meta as object), [`${role}.json`]: { ...metaJson(version, bytes), ...said } };
  await forgeSnapshot(world, { change: { meta }, by: KEYS.snapshot });
}

export async function forgeAssignment(world: World, forgery: Forgery): Promise<void> {
  const role = assignmentRole('device');
  const { version, release } = readMetadata((await world.folder.read(role))!.bytes).signed;
  const change = { version: version + 1, release: Number(release) + 1, ...forgery.change };
  await world.folder.write(role, await forged(world, role, { ...forgery, change }));
}

/** The root after the present one, as the present one but for `change`. */
export async function forgeRoot(world: World, forgery: Forgery, at?: number): Promise<void> {
  const version = (await world.folder.newest('root')) + 1;
  const bytes = await forged(world, 'root', { ...forgery, change: { version, ...forgery.change } });
  await world.folder.write('root', bytes, at ?? version);
}
