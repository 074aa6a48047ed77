import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { type Clock, pause, systemClock } from '../util/clock.ts';
import { isEigenError } from '../util/errors.ts';
import { hashOf } from '../util/files.ts';
import type { FleetClient } from './fleet-client.ts';

export interface UploadReport {
  readonly sha256: string;
  readonly bytes: number;
  /** That were sent; what the controller had was not. */
  readonly sent: number;
}

export interface UploadOptions {
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  /** Bytes that are there. */
  readonly onProgress?: (done: number, total: number) => void;
}

interface Held {
  readonly bytes: number;
  readonly whole: boolean;
}

/** Connections that may break without a byte having come, and milliseconds before the next. */
const TRIES = 5;
const WAIT = 2000;

/**
 * Brings a bundle or a delta to a controller, from where devices fetch it once it is listed. It goes on where it stopped, also in another run.
 * @throws EigenError EW1002_FILE_NOT_FOUND, the controller's own, EW5205_CONTROLLER_UNREACHABLE.
 */
export async function uploadBlob(
  client: FleetClient,
  file: string,
  options: UploadOptions = {},
): Promise<UploadReport> {
  const { signal = new AbortController().signal, clock = systemClock, onProgress } = options;
  const sha256 = await hashOf(file);
  const { size: total } = await stat(file);
  const path = `/v1/blobs/${sha256}`;
  let sent = 0;
  let before = -1;
  for (let tries = 0; ; tries++) {
    const held = await client.ask<Held>('GET', path, undefined, signal);
    onProgress?.(held.bytes, total);
    if (held.whole) return { sha256, bytes: total, sent };
    if (held.bytes > before) tries = 0;
    before = held.bytes;
    const content = createReadStream(file, { start: held.bytes });
    try {
      const query = `from=${held.bytes}&total=${total}`;
      const now = await client.put<Held>(`${path}?${query}`, total - held.bytes, content, signal);
      sent += now.bytes - held.bytes;
    } catch (e) {
      if (!isEigenError(e) || e.code !== 'EW5205_CONTROLLER_UNREACHABLE' || tries + 1 >= TRIES) throw e;
      await pause(clock, WAIT, signal);
      signal.throwIfAborted();
    } finally {
      content.destroy();
    }
  }
}
