import * as v from 'valibot';
import type { Clock } from '../../util/clock.ts';
import { EigenError } from '../../util/errors.ts';
import type { Assignment } from '../../wire/assignment.ts';
import { folderSource } from '../agent/folder-source.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { readIfThere } from '../fs/whole-files.ts';
import type { Director, Upstream } from './upstream.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const positive = v.pipe(v.number(), v.finite(), v.minValue(0));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, 'must be a SHA-256'));
const blob = v.strictObject({
  sha256: digest,
  bytes: count,
  pieces: v.array(v.strictObject({ bytes: count, sha256: digest })),
});
const assignmentSchema = v.strictObject({
  release: count,
  expires: v.optional(count, Number.MAX_SAFE_INTEGER),
  board: v.string(),
  blob,
  limits: v.optional(v.strictObject({ p95Milliseconds: v.optional(positive), modelBytes: v.optional(count) }), {}),
  shadowInputs: v.optional(count, 0),
  probation: v.strictObject({ milliseconds: count }),
});

/**
 * A folder that says what to run, with the files for it: a memory stick, a mounted share, a folder that another program fills. In it
 * are `model.json` and `agent.json`, an Assignment each, and `blobs/` with files named by their SHA-256. Whoever may write to the
 * folder decides what runs: nothing in it is signed.
 */
export function folderUpstream(fs: DeviceFileSystem, clock: Clock): Upstream {
  const director = (file: string): Director => ({ assignment: () => readAssignment(fs, file) });
  return {
    directors: { model: director('model.json'), agent: director('agent.json') },
    source: folderSource(fs, 'blobs'),
    clock,
    onChange: () => undefined,
    begun: () => undefined,
    taken: () => undefined,
    report: async () => undefined,
    health: async () => undefined,
    close: async () => undefined,
  };
}

/** @throws EigenError EW7004_UPDATE_REFUSED naming the field that is wrong. */
async function readAssignment(fs: DeviceFileSystem, file: string): Promise<Assignment | undefined> {
  const bytes = await readIfThere(fs, file);
  return bytes && parseAssignment(new TextDecoder().decode(bytes), file);
}

function parseAssignment(text: string, file: string): Assignment {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw refused(`${file} is no JSON`, cause);
  }
  const result = v.safeParse(assignmentSchema, json, { abortEarly: true });
  if (result.success) return result.output as Assignment;
  const [issue] = result.issues;
  throw refused(`${file}: ${v.getDotPath(issue) ?? 'top level'}: ${issue.message}`);
}

function refused(message: string, cause?: unknown): EigenError {
  return new EigenError('EW7004_UPDATE_REFUSED', message, {
    hint: 'What runs goes on running. Write the file again.',
    cause,
  });
}
