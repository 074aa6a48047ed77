import { Metadata, MetadataKind, type Root, type Targets } from '@tufjs/models';
import { EigenError, isEigenError } from '../../util/errors.ts';
import { type ListedBundle, MOST_BYTES } from '../../wire/metadata.ts';
import { readTargets, type TargetsContent, targetPath } from './targets.ts';

/** A file of a role of targets that was signed elsewhere, and what it is measured by. */
export interface Submission {
  readonly role: string;
  readonly bytes: Uint8Array;
  /** What the role lists at present. */
  readonly present: TargetsContent;
  /** The file that says who signs for the role: the root, or the targets that delegate to it. */
  readonly delegator: Uint8Array;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * What such a file says, if devices will believe it in place of the present one: it is signed by as many as have to, is the version after
 * that, has not expired, and changes nothing but what is listed.
 * @throws EigenError EW8105_TARGETS_REFUSED; EW8106_TARGETS_OUTDATED where somebody else has signed that version.
 */
export function readSubmitted(submission: Submission): TargetsContent {
  const { role, present, now } = submission;
  const { content, covers } = verified(submission);
  if (content.version !== present.version + 1)
    throw new EigenError(
      'EW8106_TARGETS_OUTDATED',
      `${role}: version ${content.version} was signed, and ${present.version} is valid`,
      { hint: 'Sign again what is valid now: the same command does.', details: { role, version: present.version } },
    );
  if (!(content.expires > now))
    throw targetsRefused(role, `it has expired on ${new Date(content.expires).toISOString()}`);
  if (JSON.stringify(content.delegations) !== JSON.stringify(present.delegations))
    throw targetsRefused(
      role,
      'it delegates to others than at present',
      'Delegate where the metadata is: eigenweights keys delegate.',
    );
  for (const [path, bundle] of Object.entries(content.targets)) {
    if (!isPathOf(path, bundle))
      throw targetsRefused(role, `'${path.slice(0, 128)}' is no FAMILY/BOARD/NAME of what it lists`);
    if (!covers(path))
      throw targetsRefused(role, `it may not sign for '${path}'`, 'eigenweights keys show prints who may.');
  }
  return content;
}

export function targetsRefused(
  role: string,
  what: string,
  hint = 'The metadata that is valid is as it was.',
): EigenError {
  return new EigenError('EW8105_TARGETS_REFUSED', `${role}: ${what}`, { hint, details: { role } });
}

interface Verified {
  readonly content: TargetsContent;
  /** Whether the role may list what is under a path. */
  covers(path: string): boolean;
}

/** Whatever the models throw is about the file: it is somebody else's. */
function verified({ role, bytes, delegator }: Submission): Verified {
  if (bytes.length > MOST_BYTES.targets)
    throw targetsRefused(role, `it has ${bytes.length} bytes, devices take ${MOST_BYTES.targets}`);
  try {
    const metadata = Metadata.fromJSON(MetadataKind.Targets, jsonOf(bytes));
    if (role === 'targets') {
      rootIn(delegator).verifyDelegate(role, metadata);
      return { content: readTargets(bytes), covers: () => true };
    }
    const by = Metadata.fromJSON(MetadataKind.Targets, jsonOf(delegator));
    by.verifyDelegate(role, metadata);
    const delegated = delegatedRole(by, role);
    return { content: readTargets(bytes), covers: (path) => delegated?.isDelegatedPath(path) ?? false };
  } catch (e) {
    if (isEigenError(e) && e.code === 'EW8105_TARGETS_REFUSED') throw e;
    throw targetsRefused(role, e instanceof Error ? e.message.slice(0, 200) : 'it cannot be read');
  }
}

type Json = Parameters<typeof Metadata.fromJSON>[1];

function jsonOf(bytes: Uint8Array): Json {
  return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
}

function rootIn(bytes: Uint8Array): Metadata<Root> {
  return Metadata.fromJSON(MetadataKind.Root, jsonOf(bytes));
}

function delegatedRole({ signed }: Metadata<Targets>, role: string) {
  const { roles = {} } = signed.delegations ?? {};
  return Object.hasOwn(roles, role) ? roles[role] : undefined;
}

function isPathOf(path: string, { family, board }: ListedBundle): boolean {
  const [, , name = ''] = path.split('/');
  try {
    return targetPath(family, board, name) === path;
  } catch (e) {
    if (isEigenError(e)) return false;
    throw e;
  }
}
