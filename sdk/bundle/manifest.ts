import * as v from 'valibot';
import { EigenError } from '../util/errors.ts';
import type { Program } from '../wire/program.ts';
import { GOLDEN_INPUTS, isDeflated, nameFitsRole, type PartRole } from './names.ts';
import { natural, programSchema } from './program-schema.ts';
import { unreadable } from './tar.ts';

/** Version of the container and of everything in it; a reader takes its own version only. */
export const FORMAT_VERSION = 1;

export type Json = number | string | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export interface Part {
  readonly name: string;
  readonly role: PartRole;
  readonly bytes: number;
  readonly sha256: string;
  /** Present on deflated parts: their size when inflated. */
  readonly inflatedBytes?: number | undefined;
  /**
   * Present on weights that are of use in part: the pieces of the part, in order. The first holds a model of lower quality, every
   * other one improves it.
   */
  readonly segments?: readonly Segment[] | undefined;
}

export interface Segment {
  readonly bytes: number;
  readonly sha256: string;
}

/** What the outputs must be on the golden inputs. */
export interface Golden {
  /** Part with the inputs, an .npz of one array per program input whose first axis is the samples. */
  readonly inputs: string;
  /** For every output, SHA-256 of its bytes for each sample (sha256OfTensor). */
  readonly outputs: readonly { readonly name: string; readonly sha256: readonly string[] }[];
}

/** manifest.json: what a bundle is and what it consists of. No clock, no paths: the same inputs give the same manifest. */
export interface Manifest {
  readonly format: number;
  readonly tool: { readonly name: string; readonly version: string };
  /** SHA-256 of the source model's file. */
  readonly model: { readonly name: string; readonly sha256: string };
  readonly target: { readonly id: string; readonly profileSha256: string };
  /** Arithmetic of the kernels: f32, int8, ... */
  readonly precision: string;
  /** Settings that the result depends on, as given to the compressor and compiler. */
  readonly settings: { readonly [key: string]: Json };
  readonly seed: number;
  readonly program: Program;
  readonly golden?: Golden | undefined;
  readonly parts: readonly Part[];
}

const sha = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'));
const text = v.pipe(v.string(), v.nonEmpty());
const json: v.GenericSchema<unknown, Json> = v.lazy(() =>
  v.union([
    v.pipe(v.number(), v.finite()),
    v.string(),
    v.boolean(),
    v.null(),
    v.array(json),
    v.record(v.string(), json),
  ]),
);

const part = v.pipe(
  v.strictObject({
    name: text,
    role: v.picklist(['weights', 'kernel', 'kernel-source', 'golden', 'graph', 'report']),
    bytes: natural,
    sha256: sha,
    inflatedBytes: v.optional(v.pipe(natural, v.maxValue(2 ** 31))),
    segments: v.optional(v.array(v.strictObject({ bytes: natural, sha256: sha }))),
  }),
  v.check((p) => nameFitsRole(p.name, p.role), 'the name does not belong to the role'),
  v.check((p) => isDeflated(p.name) === (p.inflatedBytes !== undefined), 'inflatedBytes belongs to names in .z'),
  v.check((p) => p.segments === undefined || p.role === 'weights', 'only weights have segments'),
  v.check(
    (p) => p.segments === undefined || p.segments.reduce((sum, s) => sum + s.bytes, 0) === p.bytes,
    'the segments do not add up to the part',
  ),
);

export const manifestSchema: v.GenericSchema<unknown, Manifest> = v.strictObject({
  format: v.literal(FORMAT_VERSION),
  tool: v.strictObject({ name: text, version: text }),
  model: v.strictObject({ name: text, sha256: sha }),
  target: v.strictObject({ id: text, profileSha256: sha }),
  precision: text,
  settings: v.record(v.string(), json),
  seed: natural,
  program: programSchema,
  golden: v.optional(
    v.strictObject({
      inputs: v.literal(GOLDEN_INPUTS),
      outputs: v.array(v.strictObject({ name: v.string(), sha256: v.array(sha) })),
    }),
  ),
  parts: v.pipe(
    v.array(part),
    v.check(
      (parts) => parts.every((p, i) => i === 0 || parts[i - 1].name < p.name),
      'names are not in ascending order',
    ),
  ),
});

/**
 * Parses manifest.json.
 * @throws EigenError EW6003_BUNDLE_VERSION for another format, EW6001_BUNDLE_UNREADABLE with the path of a wrong field.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (e) {
    throw unreadable('manifest.json is not JSON', e);
  }
  checkVersion(value);
  const result = v.safeParse(manifestSchema, value, { abortPipeEarly: true });
  if (!result.success) throw unreadable(describeIssue(result.issues[0]));
  return result.output;
}

/** The first wrong field of a manifest about to be written; undefined when it is right. */
export function manifestIssue(manifest: Manifest): string | undefined {
  const result = v.safeParse(manifestSchema, JSON.parse(canonicalJson(manifest as unknown as Json)));
  return result.success ? undefined : describeIssue(result.issues[0]);
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  return `manifest.json: ${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`;
}

function checkVersion(value: unknown): void {
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (format === FORMAT_VERSION) return;
  if (typeof format !== 'number') throw unreadable('manifest.json: format: there is no version number');
  const newer = format > FORMAT_VERSION;
  throw new EigenError(
    'EW6003_BUNDLE_VERSION',
    `bundle has format version ${format}, this eigenweights reads version ${FORMAT_VERSION}`,
    {
      hint: newer
        ? 'Update eigenweights on this machine.'
        : 'Make the bundle again from its model with this eigenweights.',
      details: { format, supported: FORMAT_VERSION },
    },
  );
}

/** JSON with sorted keys and no spaces: one text for one value. Undefined members are left out, as in JSON.stringify. */
export function canonicalJson(value: Json): string {
  return JSON.stringify(value, (_key, member: unknown) => {
    if (typeof member === 'number' && !Number.isFinite(member)) throw new RangeError(`JSON cannot hold ${member}`);
    if (typeof member !== 'object' || member === null || Array.isArray(member)) return member;
    return Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
