import { type BlobSpec, blobProblem } from './blob.ts';

/** What a device is to run, as its director assigned it. */
export interface Assignment {
  /** Counts what was ever assigned to the device: a later assignment has a higher number. */
  readonly release: number;
  /** Until when it may be installed, milliseconds since 1970. What is installed runs on after that. */
  readonly expires: number;
  /** Board that it is for. */
  readonly board: string;
  /** The bundle's file. */
  readonly blob: BlobSpec;
  /** Of what the file is a version; `AGENT_FAMILY` where it is no bundle but the agent itself. */
  readonly family?: string;
  /** Ways to it from bundles that a device may have: `from` is the SHA-256 of one, `blob` the file of the delta. */
  readonly deltas?: readonly Delta[];
  readonly limits: Limits;
  /** Inputs that applications give to the model that is running, tried on the new one first; 0: none. */
  readonly shadowInputs: number;
  /** How long it is watched before it stays. */
  readonly probation: { readonly milliseconds: number };
}

/** Under which agents of devices are listed, a file each. */
export const AGENT_FAMILY = 'eigenweights-agent';

/** A delta is worth its download only; what it leads to is verified against the bundle's blob. */
export interface Delta {
  readonly from: string;
  readonly blob: BlobSpec;
}

/** What a model may take on this device; nothing is limited that is absent. */
export interface Limits {
  /** Milliseconds that 95 of 100 inferences may take at most. */
  readonly p95Milliseconds?: number;
  /** Weights, activations and scratch, bytes. */
  readonly modelBytes?: number;
}

/** Why an assignment is not for this device, whatever the time; undefined when it is. */
export function assignmentProblem(assignment: Assignment, board: string, installed?: number): string | undefined {
  const { release } = assignment;
  if (assignment.board !== board) return `it is for ${assignment.board}, this is ${board}`;
  if (!Number.isSafeInteger(release) || release < 0) return `${release} is not a release number`;
  if (installed !== undefined && release < installed)
    return `its release ${release} is older than ${installed}, which is installed`;
  const problem = blobProblem(assignment.blob);
  if (problem !== undefined) return `its blob is described wrongly: ${problem}`;
  const deltas = (assignment.deltas ?? []).map((d) => blobProblem(d.blob));
  const wrong = deltas.findIndex((p) => p !== undefined);
  return wrong < 0 ? undefined : `its delta ${wrong} is described wrongly: ${deltas[wrong]}`;
}
