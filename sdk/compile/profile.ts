import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { EigenError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { attachAccessory, type HostFacts, profileOfHost } from './profile-compose.ts';
import { type Profile, type ProfileFile, type Provenance, profileFileSchema } from './profile-schema.ts';

export type { HostFacts } from './profile-compose.ts';
export * from './profile-schema.ts';

/** Where profiles are read from; the default is the `profiles` folder of this package. */
export interface ProfileFiles {
  /** Text of a file; undefined when there is none. */
  read(path: string): string | undefined;
  /** File names in a folder. */
  list(folder: string): string[];
}

export interface ProfileOptions {
  /** Probes the machine for `host`; called only when it is needed (`probeHost` of the device side). */
  readonly probe?: () => HostFacts;
  /** Board that carries an accessory (Coral USB, M.2); the one named in its profile when absent. */
  readonly carrier?: string;
  readonly files?: ProfileFiles;
}

export interface ProfileSummary {
  readonly id: string;
  readonly name: string;
  readonly family: Profile['family'];
  readonly form: ProfileFile['form'];
}

const disk: ProfileFiles = {
  read: (path) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined),
  list: (folder) => readdirSync(folder),
};

/** The folder with the bundled profiles: found from this module upwards, so it is the same from source and from dist. */
export function profilesFolder(from: string = import.meta.url): string {
  for (let dir = dirname(fileURLToPath(from)); ; dir = dirname(dir)) {
    const manifest = join(dir, 'package.json');
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, 'utf8')).name === 'eigenweights') {
      return join(dir, 'profiles');
    }
    if (dirname(dir) === dir) throw new Error(`no package root of eigenweights above ${fileURLToPath(from)}`);
  }
}

/** All bundled profiles, ordered by id. */
export function listProfiles(files: ProfileFiles = disk): ProfileSummary[] {
  return profileIds(files).map((id) => {
    const { name, family, form } = readProfileFile(join(profilesFolder(), `${id}.json`), files);
    return { id, name, family, form };
  });
}

/**
 * The profile of a board id, or of the user's own file (anything with a slash or ending in .json).
 * Throws EW2002_TARGET_UNKNOWN with the nearest id, EW1002_FILE_NOT_FOUND, EW2001_PROFILE_INVALID with the path of the wrong field.
 */
export function loadProfile(idOrPath: string, options: ProfileOptions = {}): Profile {
  const files = options.files ?? disk;
  const own = /[/\\]|\.json$/.test(idOrPath);
  if (!own && !profileIds(files).includes(idOrPath)) throw unknownTarget(idOrPath, files);
  const file = readProfileFile(own ? idOrPath : join(profilesFolder(), `${idOrPath}.json`), files);
  switch (file.form) {
    case 'board': {
      const { $schema, form, schemaVersion, ...profile } = file;
      return profile;
    }
    case 'accessory': {
      const carrier = loadProfile(options.carrier ?? file.carrier, { ...options, carrier: undefined });
      return attachAccessory(file, carrier);
    }
    case 'probed':
      if (options.probe === undefined) throw new TypeError(`profile '${file.id}' needs options.probe`);
      return profileOfHost(file, options.probe());
    default:
      return file satisfies never;
  }
}

/** Where the number at `path` comes from (`memory.peakGBps`, `cpu.clusters[0].l2KB`): the longest recorded path that covers it. */
export function provenanceOf(profile: Pick<Profile, 'provenance'>, path: string): Provenance | undefined {
  let best = '';
  let found: Provenance | undefined = profile.provenance['*'];
  for (const [key, value] of Object.entries(profile.provenance)) {
    if (key.length > best.length && covers(key, path)) {
      best = key;
      found = value;
    }
  }
  return found;
}

/** Parses and validates profile text; `where` names it in errors. Throws EW2001_PROFILE_INVALID. */
export function parseProfileFile(textOfFile: string, where: string): ProfileFile {
  let json: unknown;
  try {
    json = JSON.parse(textOfFile);
  } catch (e) {
    throw invalid(where, [`not JSON: ${(e as Error).message}`], e);
  }
  const parsed = v.safeParse(profileFileSchema, json);
  if (!parsed.success) throw invalid(where, parsed.issues.map(describeIssue));
  const problems = provenanceProblems(parsed.output);
  if (problems.length > 0) throw invalid(where, problems);
  return parsed.output;
}

function readProfileFile(path: string, files: ProfileFiles): ProfileFile {
  const content = files.read(path);
  if (content === undefined) {
    throw new EigenError('EW1002_FILE_NOT_FOUND', `no profile file ${path}`, { details: { path } });
  }
  return parseProfileFile(content, path);
}

function profileIds(files: ProfileFiles): string[] {
  return files
    .list(profilesFolder())
    .filter((f) => f.endsWith('.json') && f !== 'schema.json')
    .map((f) => basename(f, '.json'))
    .sort();
}

function unknownTarget(id: string, files: ProfileFiles): EigenError {
  const known = profileIds(files);
  const guess = nearest(id, known) ?? known.filter((k) => abbreviates(id, k)).sort((a, b) => a.length - b.length)[0];
  return new EigenError('EW2002_TARGET_UNKNOWN', `unknown target '${id}'`, {
    hint: `${guess === undefined ? '' : `did you mean '${guess}'? `}known targets: ${known.join(', ')}; a path to your own profile (.json) works too`,
    details: { target: id, suggestion: guess ?? null, known },
  });
}

/** True when the letters and digits of `short` appear in `long` in this order, as in rpi4 for raspberry-pi-4b. */
function abbreviates(short: string, long: string): boolean {
  const letters = short.toLowerCase().replace(/[^a-z0-9]/g, '');
  let at = 0;
  for (const c of long) if (c === letters[at]) at++;
  return letters.length > 0 && at === letters.length;
}

function invalid(where: string, problems: string[], cause?: unknown): EigenError {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new EigenError('EW2001_PROFILE_INVALID', `profile ${where}: ${problems[0]}${more}`, {
    hint: 'profiles/schema.json describes the format; any bundled profile is an example',
    details: { file: where, problems },
    cause,
  });
}

function describeIssue(issue: v.BaseIssue<unknown>): string {
  const path = pathText((issue.path ?? []).map((p) => p.key as string | number));
  if (issue.type === 'strict_object') return `${path}: ${issue.message}`;
  const want = issue.kind === 'validation' ? `${issue.expected ?? issue.message}` : issue.expected;
  return `${path}: expected ${want}, got ${issue.received}`;
}

function pathText(keys: readonly (string | number)[]): string {
  let out = '';
  for (const k of keys) out += typeof k === 'number' ? `[${k}]` : out === '' ? k : `.${k}`;
  return out === '' ? '(top level)' : out;
}

/** True when `key` is `path` or one of its ancestors. */
function covers(key: string, path: string): boolean {
  return path.startsWith(key) && (path.length === key.length || path[key.length] === '.' || path[key.length] === '[');
}

/** Sections whose rows carry their own source and confidence. */
const SELF_SOURCED = ['schemaVersion', 'latencies', 'throughputs', 'effectiveRates', 'provenance', 'sources'];

/** A number without a source, a source without a citation, and a provenance of a field that does not exist are all mistakes. */
function provenanceProblems(file: ProfileFile): string[] {
  const problems: string[] = [];
  const paths: string[] = [];
  const numbers: string[] = [];
  const walk = (value: unknown, keys: (string | number)[]): void => {
    if (keys.length === 1 && SELF_SOURCED.includes(String(keys[0]))) return;
    paths.push(pathText(keys));
    if (typeof value === 'number') numbers.push(pathText(keys));
    else if (Array.isArray(value)) for (const [i, item] of value.entries()) walk(item, [...keys, i]);
    else if (value !== null && typeof value === 'object') {
      for (const [k, item] of Object.entries(value)) walk(item, [...keys, k]);
    }
  };
  walk(file, []);
  for (const n of numbers) if (!provenanceOf(file, n)) problems.push(`${n}: a number without an entry in 'provenance'`);
  for (const [key, { source }] of Object.entries(file.provenance)) {
    if (key !== '*' && !paths.includes(key)) {
      const guess = nearest(key, paths);
      problems.push(`provenance.${key}: no such field${guess === undefined ? '' : `, did you mean '${guess}'?`}`);
    }
    if (!(source in file.sources)) problems.push(`provenance.${key}.source: '${source}' is not in 'sources'`);
  }
  for (const row of [...file.latencies, ...file.throughputs, ...file.effectiveRates]) {
    if (!(row.source in file.sources)) problems.push(`'${row.tool}': source '${row.source}' is not in 'sources'`);
  }
  return problems;
}
