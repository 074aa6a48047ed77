import { parentPort, type TransferListItem } from 'node:worker_threads';
import { openBundle } from '../../bundle/index.ts';
import { type EigenError, isEigenError } from '../../util/errors.ts';
import type { Program } from '../../wire/program.ts';
import { type PreparedEngine, type PrepareOptions, prepareEngine } from '../engine/open.ts';
import { type GoldenData, goldenDataOf } from '../golden.ts';

/** What a thread is asked for. */
export interface OpenRequest {
  readonly bytes: Uint8Array;
  readonly options: PrepareOptions;
}

/** A bundle that was verified, decoded and compiled: what is left is to use it. */
export interface OpenedBundle {
  readonly program: Program;
  readonly prepared: PreparedEngine;
  readonly golden?: GoldenData;
}

/** What a thread makes of a bundle's bytes. Nothing large is copied on its way. */
export type Opened =
  | OpenedBundle
  | { readonly error: Pick<EigenError, 'code' | 'message' | 'hint' | 'details'> }
  | { readonly problem: string };

/** The thread's work: bytes come, what they are opened to goes back. */
export function serveOpening(): void {
  parentPort?.on('message', (request: OpenRequest) => {
    void opened(request).then((result) => parentPort!.postMessage(result, transferable(result)));
  });
}

async function opened({ bytes, options }: OpenRequest): Promise<Opened> {
  try {
    const bundle = openBundle(bytes);
    const golden = goldenDataOf(bundle);
    const prepared = await prepareEngine(bundle, options);
    return { program: bundle.manifest.program, prepared, ...(golden ? { golden } : {}) };
  } catch (e) {
    if (isEigenError(e)) return { error: { code: e.code, message: e.message, hint: e.hint, details: e.details } };
    return { problem: e instanceof Error ? e.message : String(e) };
  }
}

/** Golden inputs are given away. */
function transferable(result: Opened): TransferListItem[] {
  if (!('golden' in result) || !result.golden) return [];
  return [...new Set(Object.values(result.golden.inputs).map((t) => t.data.buffer as ArrayBuffer))];
}

serveOpening();
