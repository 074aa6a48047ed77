import type { Targets } from '@tufjs/models';
import type { EigenError } from '../../util/errors.ts';
import type { Assignment } from '../../wire/assignment.ts';
import {
  type AssignmentHead,
  decodeHead,
  decodeListed,
  decodeTerms,
  type ListedBundle,
  MOST_RELEASES_AHEAD,
  type Terms,
} from '../../wire/metadata.ts';
import type { Parsed } from './parse.ts';
import { isRefusal, refused } from './refusal.ts';
import { rolesFor, type Walk } from './walk.ts';

const FILE = 'assignment';

/** An assignment as its director signed it; which bundle that is, targets say. */
export interface Directed extends AssignmentHead {
  readonly parsed: Parsed<Targets>;
  /** Absent where nothing is assigned any more. */
  readonly target?: { readonly path: string; readonly bytes: number; readonly sha256: string; readonly terms: Terms };
}

/** @throws EigenError EW7006_METADATA_REFUSED. */
export function readDirected(parsed: Parsed<Targets>): Directed {
  const { targets, unrecognizedFields, delegations } = parsed.signed;
  const listed = Object.values(targets);
  if (delegations || listed.length > 1)
    throw refused('extraneous-dependencies', FILE, `${listed.length} bundles, and delegations: one is meant`);
  return decoded(() => {
    const head = decodeHead(unrecognizedFields);
    const [target] = listed;
    if (!target) return { ...head, parsed };
    const { path, length: bytes, hashes, custom } = target;
    return { ...head, parsed, target: { path, bytes, sha256: hashes.sha256 ?? '', terms: decodeTerms(custom) } };
  });
}

/** Whether an assignment is this device's, and follows the one that it knows. @throws EigenError EW7006_METADATA_REFUSED. */
export function checkDirected(
  next: Directed,
  self: { device: string; board: string },
  known: Directed | undefined,
): void {
  if (next.device !== self.device)
    throw refused('wrong-device', FILE, `it is for ${next.device}, this is ${self.device}`);
  if (next.board !== self.board)
    throw refused('wrong-hardware', FILE, `it is for ${next.board}, this is ${self.board}`);
  if (!known) return;
  const [now, before] = [next.parsed.signed.version, known.parsed.signed.version];
  if (now < before) throw refused('rollback', FILE, `version ${now} after ${before}`);
  if (next.release < known.release) throw refused('rollback', FILE, `release ${next.release} after ${known.release}`);
  if (next.release > known.release + MOST_RELEASES_AHEAD)
    throw refused('fast-forward', FILE, `release ${next.release} after ${known.release}`);
  if (next.release === known.release && next.target && known.target && next.target.sha256 !== known.target.sha256)
    throw refused('mix-and-match', FILE, `release ${next.release} was another bundle before`);
}

/** What the signed files together say of an assignment: what it is, or why it is void. */
export type Resolved =
  | { readonly assignment: Assignment | undefined; readonly roles: ReadonlySet<string> }
  | { readonly void: EigenError };

/**
 * The assignment with the bundle that targets list for it.
 * @param others that it rests on: it expires with the first.
 * @throws EigenError EW7006_METADATA_REFUSED where that cannot be said: a role is not to be believed, or not to be had.
 */
export async function resolve(
  directed: Directed,
  walk: Walk,
  others: readonly { readonly expires: number }[],
): Promise<Resolved> {
  const { target } = directed;
  if (!target) return { assignment: undefined, roles: new Set() };
  const roles = await rolesFor(target.path, walk);
  if (!roles)
    return {
      void: refused('arbitrary-installation', FILE, `'${target.path.slice(0, 200)}' is in no targets that count`),
    };
  const rests = [...others, directed.parsed, ...roles.values()];
  try {
    const expires = Math.min(...rests.map((r) => r.expires));
    return { assignment: assignmentOf(directed, [...roles.values()].at(-1)!, expires), roles: new Set(roles.keys()) };
  } catch (e) {
    if (isRefusal(e)) return { void: e };
    throw e;
  }
}

/** @throws EigenError EW7006_METADATA_REFUSED where it is another bundle, or for other hardware. */
function assignmentOf(directed: Directed, role: Parsed<Targets>, expires: number): Assignment {
  const { target, board, release } = directed;
  const { path, bytes, sha256, terms } = target!;
  const listed = listedBundle(role, path);
  if (listed.blob.sha256 !== sha256 || listed.blob.bytes !== bytes)
    throw refused('arbitrary-installation', FILE, `'${path}' is not the bundle that is listed under that name`);
  if (listed.board !== board)
    throw refused('wrong-hardware', FILE, `'${path}' is for ${listed.board}, this is ${board}`);
  const { blob, family, deltas } = listed;
  return { release, expires, board, blob, family, ...(deltas ? { deltas } : {}), ...terms };
}

function listedBundle({ signed }: Parsed<Targets>, path: string): ListedBundle {
  const { length, hashes, custom } = signed.targets[path]!;
  return decoded(() => decodeListed({ length, hashes, custom }));
}

function decoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (e) {
    throw refused('malformed-metadata', FILE, e instanceof Error ? e.message : String(e));
  }
}
