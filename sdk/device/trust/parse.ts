import { Metadata, MetadataKind, type Root, type Snapshot, type Targets, type Timestamp } from '@tufjs/models';
import { isEigenError } from '../../util/errors.ts';
import { parseTime } from '../../wire/metadata.ts';
import { refused } from './refusal.ts';

type Json = Parameters<typeof Metadata.fromJSON>[1];
type Kind = Root | Timestamp | Snapshot | Targets;

/** A file of metadata that is well formed; whether it may be believed is another question. */
export interface Parsed<T extends Kind> {
  readonly metadata: Metadata<T>;
  readonly signed: T;
  /** Milliseconds since 1970. */
  readonly expires: number;
  /** The file. */
  readonly bytes: Uint8Array;
}

/** Root and timestamp metadata say when they were signed: devices learn the time from them. */
export type Dated<T extends Kind> = Parsed<T> & { readonly issued: number };

/** The root, and the role beside TUF's four that assigns: `director` of its signed part, as the roles are written. */
export type TrustAnchor = Dated<Root> & { readonly director: Metadata<Root> };

/** All @throws EigenError EW7006_METADATA_REFUSED as malformed metadata. */
export function parseRoot(bytes: Uint8Array): TrustAnchor {
  return parse('root', bytes, (json) => {
    checkFew(json);
    const root = common('root', Metadata.fromJSON(MetadataKind.Root, json), bytes);
    checkKeys('root', root.signed.keys);
    return { ...root, issued: issuedOf('root', root), director: withDirector(json) };
  });
}

export function parseTimestamp(bytes: Uint8Array): Dated<Timestamp> {
  return parse('timestamp', bytes, (json) => {
    const timestamp = common('timestamp', Metadata.fromJSON(MetadataKind.Timestamp, json), bytes);
    return { ...timestamp, issued: issuedOf('timestamp', timestamp) };
  });
}

export function parseSnapshot(bytes: Uint8Array): Parsed<Snapshot> {
  return parse('snapshot', bytes, (json) => common('snapshot', Metadata.fromJSON(MetadataKind.Snapshot, json), bytes));
}

/** Of the role 'targets', one that it delegates to, or an assignment, which has the same form. */
export function parseTargets(role: string, bytes: Uint8Array): Parsed<Targets> {
  return parse(role, bytes, (json) => {
    const targets = common(role, Metadata.fromJSON(MetadataKind.Targets, json), bytes);
    checkKeys(role, targets.signed.delegations?.keys ?? {});
    return targets;
  });
}

/** Whatever is thrown on the way is about the file: it is anybody's, and the models throw what comes. */
function parse<T>(file: string, bytes: Uint8Array, build: (json: Json) => T): T {
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return build(json as Json);
  } catch (e) {
    if (isEigenError(e)) throw e;
    throw malformed(file, e instanceof Error ? e.message.slice(0, 200) : 'it cannot be read');
  }
}

function malformed(file: string, what: string): Error {
  return refused('malformed-metadata', file, what);
}

/** What the models leave open: versions are counts, times are times. */
function common<T extends Kind>(file: string, metadata: Metadata<T>, bytes: Uint8Array): Parsed<T> {
  const { signed } = metadata;
  const expires = parseTime(signed.expires);
  if (!Number.isSafeInteger(signed.version) || signed.version < 1)
    throw malformed(file, `${signed.version} is not a version`);
  if (expires === undefined) throw malformed(file, `'${signed.expires.slice(0, 64)}' is not a time`);
  return { metadata, signed, expires, bytes };
}

function issuedOf(file: string, { signed, expires }: Parsed<Root | Timestamp>): number {
  const issued = parseTime(signed.unrecognizedFields.issued);
  if (issued === undefined) throw malformed(file, 'it does not say when it was issued');
  if (issued >= expires) throw refused('time-jump', file, 'it was issued after it expires');
  return issued;
}

/** More keys or roles than this are in no root. */
const MOST_MEMBERS = 64;

/** The models take time with the square of these, before a signature is looked at. */
function checkFew({ signed }: Json): void {
  const { keys, roles } = signed as Json;
  for (const members of [keys, roles])
    if (Object.keys(members as Json).length > MOST_MEMBERS)
      throw refused('endless-data', 'root', `more than ${MOST_MEMBERS} keys or roles`);
}

/** One key under two names would count twice towards a threshold. */
function checkKeys(file: string, keys: Readonly<Record<string, { readonly keyVal: Record<string, string> }>>): void {
  const values = Object.values(keys).map((key) => key.keyVal.public?.toLowerCase());
  if (new Set(values).size !== values.length) throw refused('arbitrary-installation', file, 'it has a key twice');
}

/** The models check signatures of roles that the root lists: here the director is one of them. */
function withDirector(json: Json): Metadata<Root> {
  const signed = json.signed as Json;
  if (signed.director === undefined) throw malformed('root', 'it names no director');
  const roles = { ...(signed.roles as Json), director: signed.director as Json };
  return Metadata.fromJSON(MetadataKind.Root, { ...json, signed: { ...signed, roles } });
}
