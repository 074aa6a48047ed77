import { parentPort } from 'node:worker_threads';
import { type Bundle, kernelsFor, openBundle } from '../../bundle/index.ts';
import { type EigenError, isEigenError } from '../../util/errors.ts';
import type { ResidentWeights } from '../engine/native.ts';
import { decodeResident } from '../engine/open.ts';

/** What a thread makes of a bundle's bytes: the same, verified and decoded; nothing of it is copied on its way. */
export type Opened =
  | {
      readonly bundle: Bundle;
      readonly weights: ResidentWeights;
      /** While these are kept, the kernels are compiled. */
      readonly compiled: readonly WebAssembly.Module[];
    }
  | { readonly error: Pick<EigenError, 'code' | 'message' | 'hint' | 'details'> }
  | { readonly problem: string };

/** The thread's work: bytes come, what they are opened to goes back. */
export function serveOpening(): void {
  parentPort?.on('message', (bytes: Uint8Array) => {
    void opened(bytes).then((result) => parentPort!.postMessage(result));
  });
}

async function opened(bytes: Uint8Array): Promise<Opened> {
  try {
    const bundle = openBundle(bytes);
    return { bundle, weights: await decodeResident(bundle), compiled: compile(bundle) };
  } catch (e) {
    if (isEigenError(e)) return { error: { code: e.code, message: e.message, hint: e.hint, details: e.details } };
    return { problem: e instanceof Error ? e.message : String(e) };
  }
}

function compile(bundle: Bundle): WebAssembly.Module[] {
  return kernelsFor(bundle, 'wasm').flatMap(({ bytes }) => {
    try {
      return [new WebAssembly.Module(bytes as Uint8Array<ArrayBuffer>)];
    } catch {
      // Not for this Node: another one is chosen.
      return [];
    }
  });
}

serveOpening();
