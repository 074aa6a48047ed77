import * as v from 'valibot';
import type { Assignment, Limits } from './assignment.ts';
import { type BlobSpec, blobProblem } from './blob.ts';

/**
 * What the metadata of TUF carries for us, as both sides of the network read it. TUF's own fields, signatures and roles are those of its
 * specification 1.0. Numbers are integers: canonical JSON has no others.
 */

/** Most bytes of a file, by role; 'targets' also stands for the roles that targets are delegated to. */
export const MOST_BYTES = {
  root: 65_536,
  timestamp: 16_384,
  snapshot: 262_144,
  targets: 1_048_576,
  assignment: 16_384,
} as const;

/** Root files that one refresh walks through. */
export const MOST_ROTATIONS = 256;
/** Roles that are looked through for one target. */
export const MOST_DELEGATIONS = 32;

/**
 * Releases that an assignment may be ahead of the last one a device knows. Nobody can so use up the numbers: not even who holds the
 * director's key for a time.
 */
export const MOST_RELEASES_AHEAD = 1 << 20;

const ROLE = /^[A-Za-z0-9_-]{1,64}$/;
const ASSIGNMENT = 'assignment-';
/** Roles that the root names. */
const RESERVED: readonly string[] = ['root', 'targets', 'snapshot', 'timestamp', 'director'];

/** Under which name the assignment of a device is fetched, beside the metadata of TUF's roles. */
export function assignmentRole(device: string): string {
  return `${ASSIGNMENT}${device}`;
}

/** The device that a name is the assignment of; undefined for other roles. */
export function assignedDevice(role: string): string | undefined {
  return role.startsWith(ASSIGNMENT) ? role.slice(ASSIGNMENT.length) : undefined;
}

/** Whether a text can name a role that targets are delegated to: it is a file's name on devices and hosts. */
export function isDelegatedRoleName(name: string): boolean {
  return ROLE.test(name) && !name.startsWith(ASSIGNMENT) && !RESERVED.includes(name);
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const short = v.pipe(v.string(), v.minLength(1), v.maxLength(128));
const pieces = v.pipe(v.array(v.tuple([count, v.string()])), v.maxLength(65_536));

const listedCustom = v.object({
  family: short,
  board: short,
  pieces,
  deltas: v.optional(v.array(v.object({ from: short, sha256: v.string(), bytes: count, pieces }))),
});

/** A bundle as targets metadata lists it. */
export interface ListedBundle extends Pick<Assignment, 'board' | 'blob' | 'deltas'> {
  /** Of models: bundles of one are versions of each other. */
  readonly family: string;
}

/** The fields of a target of TUF. */
export interface TargetFields {
  readonly length: number;
  readonly hashes: Readonly<Record<string, string>>;
  readonly custom: unknown;
}

export function encodeListed({ family, board, blob, deltas }: ListedBundle): TargetFields {
  const listed = deltas?.map(({ from, blob: d }) => ({ from, ...encodeBlob(d) }));
  const custom = { family, board, pieces: encodeBlob(blob).pieces, ...(listed?.length ? { deltas: listed } : {}) };
  return { length: blob.bytes, hashes: { sha256: blob.sha256 }, custom };
}

/** @throws RangeError saying what is wrong with it. */
export function decodeListed({ length, hashes, custom }: TargetFields): ListedBundle {
  const { family, board, pieces: list, deltas } = parse(listedCustom, custom);
  return {
    family,
    board,
    blob: decodeBlob({ sha256: hashes.sha256 ?? '', bytes: length, pieces: list }),
    ...(deltas ? { deltas: deltas.map(({ from, ...blob }) => ({ from, blob: decodeBlob(blob) })) } : {}),
  };
}

type PieceList = [bytes: number, sha256: string][];

function encodeBlob({ sha256, bytes, pieces: list }: BlobSpec): { sha256: string; bytes: number; pieces: PieceList } {
  return { sha256, bytes, pieces: list.map((p) => [p.bytes, p.sha256]) };
}

function decodeBlob(blob: { sha256: string; bytes: number; pieces: PieceList }): BlobSpec {
  const spec = { ...blob, pieces: blob.pieces.map(([bytes, sha256]) => ({ bytes, sha256 })) };
  const problem = blobProblem(spec);
  if (problem !== undefined) throw new RangeError(problem);
  return spec;
}

/** Whose an assignment is: fields of the signed part, there also where nothing is assigned. */
export interface AssignmentHead extends Pick<Assignment, 'release' | 'board'> {
  readonly device: string;
}

const head = v.object({ device: short, board: short, release: count });

/** @throws RangeError saying what is wrong with it. */
export function decodeHead(fields: unknown): AssignmentHead {
  return parse(head, fields);
}

/** How a bundle is to be installed: `custom` of the one target of an assignment. */
export type Terms = Pick<Assignment, 'limits' | 'shadowInputs' | 'probation'>;

const terms = v.object({
  limits: v.object({ p95_microseconds: v.optional(count), model_bytes: v.optional(count) }),
  shadow_inputs: count,
  probation_milliseconds: count,
});

export function encodeTerms({ limits, shadowInputs, probation }: Terms): v.InferOutput<typeof terms> {
  const { p95Milliseconds, modelBytes } = limits;
  return {
    limits: {
      ...(p95Milliseconds === undefined ? {} : { p95_microseconds: Math.round(1000 * p95Milliseconds) }),
      ...(modelBytes === undefined ? {} : { model_bytes: modelBytes }),
    },
    shadow_inputs: shadowInputs,
    probation_milliseconds: probation.milliseconds,
  };
}

/** @throws RangeError saying what is wrong with it. */
export function decodeTerms(custom: unknown): Terms {
  const { limits, shadow_inputs, probation_milliseconds } = parse(terms, custom);
  const { p95_microseconds, model_bytes } = limits;
  const decoded: Limits = {
    ...(p95_microseconds === undefined ? {} : { p95Milliseconds: p95_microseconds / 1000 }),
    ...(model_bytes === undefined ? {} : { modelBytes: model_bytes }),
  };
  return { limits: decoded, shadowInputs: shadow_inputs, probation: { milliseconds: probation_milliseconds } };
}

function parse<S extends v.GenericSchema>(schema: S, value: unknown): v.InferOutput<S> {
  const result = v.safeParse(schema, value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new RangeError(`${v.getDotPath(issue) ?? 'custom'}: ${issue.message}`.slice(0, 256));
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Milliseconds since 1970 of a time as TUF writes it; undefined where it is none. */
export function parseTime(text: unknown): number | undefined {
  if (typeof text !== 'string' || !TIME.test(text)) return undefined;
  const time = Date.parse(text);
  return Number.isFinite(time) ? time : undefined;
}

/** A time as TUF writes it, down to the second. */
export function formatTime(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
