import { type FileSystem, nodeFileSystem, writeAtomic } from '../util/files.ts';
import { sha256 } from '../util/hash.ts';
import { writeNpz } from '../util/npz.ts';
import type { Tensor } from '../util/tensor.ts';
import { segmentsOf } from '../wire/container.ts';
import type { KernelModule } from '../wire/kernels.ts';
import type { Program } from '../wire/program.ts';
import { deflate } from './deflate.ts';
import {
  canonicalJson,
  FORMAT_VERSION,
  type Golden,
  type Json,
  type Manifest,
  manifestIssue,
  type Part,
  type Segment,
} from './manifest.ts';
import {
  digestText,
  GOLDEN_INPUTS,
  GRAPH,
  KERNEL_SOURCE,
  kernelPart,
  MANIFEST,
  MANIFEST_DIGEST,
  type PartRole,
  REPORT,
  WEIGHTS,
} from './names.ts';
import { type TarFile, writeTar } from './tar.ts';

export interface BundleSpec {
  readonly toolVersion: string;
  readonly model: Manifest['model'];
  readonly target: Manifest['target'];
  readonly precision: string;
  readonly settings: { readonly [key: string]: Json };
  readonly seed: number;
  readonly program: Program;
  /** The stream of encodeWeights, in the order of program.weights. */
  readonly weights: Uint8Array;
  readonly kernels: readonly KernelModule[];
  readonly kernelSource?: string;
  /** Inputs with the samples as first axis, and the output hashes that every engine must reproduce. */
  readonly golden?: { readonly inputs: Readonly<Record<string, Tensor>>; readonly outputs: Golden['outputs'] };
  /** What the program was compiled from, with its constants by the names of the program's weights. */
  readonly graph?: Json;
  readonly report?: Json;
}

interface Content {
  readonly name: string;
  readonly role: PartRole;
  readonly bytes: Uint8Array;
  readonly inflatedBytes?: number;
}

/** Builds the bytes of a bundle; the same spec gives the same bytes on every machine and at any time. */
export function packBundle(spec: BundleSpec): Uint8Array {
  const contents = contentsOf(spec).sort((a, b) => (a.name < b.name ? -1 : 1));
  const manifest: Manifest = {
    format: FORMAT_VERSION,
    tool: { name: 'eigenweights', version: spec.toolVersion },
    model: spec.model,
    target: spec.target,
    precision: spec.precision,
    settings: spec.settings,
    seed: spec.seed,
    program: spec.program,
    ...(spec.golden ? { golden: { inputs: GOLDEN_INPUTS, outputs: spec.golden.outputs } } : {}),
    parts: contents.map(partOf),
  };
  const issue = manifestIssue(manifest);
  if (issue) throw new RangeError(`packBundle: ${issue}`);
  const text = new TextEncoder().encode(`${canonicalJson(manifest as unknown as Json)}\n`);
  const files: TarFile[] = [
    { name: MANIFEST, bytes: text },
    { name: MANIFEST_DIGEST, bytes: new TextEncoder().encode(digestText(sha256(text))) },
    ...contents,
  ];
  return writeTar(files);
}

function contentsOf(spec: BundleSpec): Content[] {
  const out: Content[] = [{ name: WEIGHTS, role: 'weights', bytes: spec.weights }];
  for (const kernel of spec.kernels) out.push(deflated(kernelPart(kernel), 'kernel', kernel.bytes));
  if (spec.kernelSource !== undefined)
    out.push(deflated(KERNEL_SOURCE, 'kernel-source', new TextEncoder().encode(spec.kernelSource)));
  if (spec.golden)
    out.push({ name: GOLDEN_INPUTS, role: 'golden', bytes: writeNpz(spec.golden.inputs, { compress: true }) });
  if (spec.graph !== undefined) out.push(deflatedJson(GRAPH, 'graph', spec.graph));
  if (spec.report !== undefined) out.push(deflatedJson(REPORT, 'report', spec.report));
  return out;
}

function deflatedJson(name: string, role: PartRole, value: Json): Content {
  return deflated(name, role, new TextEncoder().encode(canonicalJson(value)));
}

function deflated(name: string, role: PartRole, bytes: Uint8Array): Content {
  return { name, role, bytes: deflate(bytes), inflatedBytes: bytes.length };
}

function partOf({ name, role, bytes, inflatedBytes }: Content): Part {
  return {
    name,
    role,
    bytes: bytes.length,
    sha256: sha256(bytes),
    ...(inflatedBytes === undefined ? {} : { inflatedBytes }),
    ...(role === 'weights' ? segmentsIn(bytes) : {}),
  };
}

/** Weights in one piece need no hashes but the part's. */
function segmentsIn(weights: Uint8Array): { segments?: Segment[] } {
  const lengths = segmentsOf(weights);
  if (lengths.length === 1) return {};
  let at = 0;
  const segments = lengths.map((bytes) => {
    at += bytes;
    return { bytes, sha256: sha256(weights.subarray(at - bytes, at)) };
  });
  return { segments };
}

/**
 * Writes a bundle so that its name holds either what it held before or the whole bundle.
 * @throws EigenError EW1003_WRITE_FAILED.
 */
export async function writeBundle(path: string, bytes: Uint8Array, fs: FileSystem = nodeFileSystem): Promise<void> {
  await writeAtomic(path, bytes, fs);
}
