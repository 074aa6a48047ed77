import type { Metadata, Root, Snapshot, Targets } from '@tufjs/models';
import { sha256 } from '../../util/hash.ts';
import { isDelegatedRoleName, MOST_BYTES, MOST_DELEGATIONS } from '../../wire/metadata.ts';
import { fileOf, type MetadataFiles } from './files.ts';
import type { Parsed, TrustAnchor } from './parse.ts';
import { refused } from './refusal.ts';
import { fetchFile, type MetadataSource } from './source.ts';
import { checkFresh, metaOf, verifyTargets } from './verify.ts';

/** What targets are looked up with. */
export interface Walk {
  readonly root: TrustAnchor;
  readonly snapshot: Parsed<Snapshot>;
  /** The device's own files, used where they hold what the snapshot names. */
  readonly files: MetadataFiles;
  /** Where the others come from; without it they are missing. */
  readonly source?: MetadataSource;
  /** That expiry is judged by, milliseconds since 1970. */
  readonly time: number;
}

type Delegator = Metadata<Root> | Metadata<Targets>;

/**
 * The role that lists a target, found depth first in the order of trust (TUF 5.6.7), after the roles that were looked through for it;
 * undefined when no role that may lists it.
 * @throws EigenError EW7006_METADATA_REFUSED for a role that is not to be believed, or not to be had.
 */
export async function rolesFor(path: string, walk: Walk): Promise<Map<string, Parsed<Targets>> | undefined> {
  const visited = new Map<string, Parsed<Targets>>();
  let open: { role: string; by: Delegator }[] = [{ role: 'targets', by: walk.root.metadata }];
  for (let next = open.pop(); next && visited.size < MOST_DELEGATIONS; next = open.pop()) {
    const { role, by } = next;
    if (visited.has(role)) continue;
    const targets = await targetsOf(role, by, walk);
    checkFresh(role, targets, walk.time);
    visited.set(role, targets);
    if (Object.hasOwn(targets.signed.targets, path)) return visited;
    const { roles, final } = delegatedRoles(targets, path);
    if (final) open = [];
    open.push(...roles.map((name) => ({ role: name, by: targets.metadata })).reverse());
  }
  return undefined;
}

async function targetsOf(role: string, by: Delegator, { snapshot, files, source }: Walk): Promise<Parsed<Targets>> {
  const meta = metaOf(snapshot, `${role}.json`);
  if (!meta) throw refused('mix-and-match', role, 'it is not in the snapshot');
  const kept = await files.read(fileOf(role));
  if (kept && sha256(kept) === meta.hashes?.sha256) return verifyTargets(kept, role, by, meta);
  const most = Math.min(meta.length ?? MOST_BYTES.targets, MOST_BYTES.targets);
  const bytes = source && (await fetchFile(source, role, meta.version, most));
  if (!bytes) throw refused('withheld', role, 'it is signed for, and is not there');
  const targets = verifyTargets(bytes, role, by, meta);
  await files.write(fileOf(role), bytes);
  return targets;
}

/** Roles that a role delegates a path to, in order, up to one that has the last word. */
function delegatedRoles({ signed }: Parsed<Targets>, path: string): { roles: string[]; final: boolean } {
  const roles: string[] = [];
  for (const { role, terminating } of signed.delegations?.rolesForTarget(path) ?? []) {
    if (!isDelegatedRoleName(role))
      throw refused('path-traversal', 'targets', `'${role.slice(0, 64)}' cannot be the name of a role`);
    roles.push(role);
    if (terminating) return { roles, final: true };
  }
  return { roles, final: false };
}
