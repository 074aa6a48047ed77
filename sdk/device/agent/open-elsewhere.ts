import type { Worker } from 'node:worker_threads';
import { EigenError } from '../../util/errors.ts';
import type { Opened } from './open-thread.ts';
import { startThread } from './thread.ts';

/** A thread that nothing was asked of for so long ends, milliseconds. */
const REST = 2000;

/**
 * Opens bundles on a thread of their own: verifying, decoding and compiling take longer than inferences, which are not to wait for them.
 * The thread ends when it is not used.
 */
export class BundleOpener {
  private worker: Worker | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** One bundle after another. */
  private last: Promise<unknown> = Promise.resolve();

  /** @throws what `openBundle` throws. */
  open(bytes: Uint8Array): Promise<Extract<Opened, { bundle: unknown }>> {
    const opened = this.last.then(() => this.ask(bytes));
    this.last = opened.catch(() => undefined);
    return opened;
  }

  private async ask(bytes: Uint8Array): Promise<Extract<Opened, { bundle: unknown }>> {
    clearTimeout(this.timer);
    const worker = this.worker ?? startThread();
    this.worker = worker;
    try {
      const result = await answerOf(worker, inSharedMemory(bytes));
      if ('error' in result) throw new EigenError(result.error.code, result.error.message, extraOf(result.error));
      if ('problem' in result) throw new Error(result.problem);
      return result;
    } catch (e) {
      // A thread that has failed is not asked again.
      if (!(e instanceof EigenError)) this.end();
      throw e;
    } finally {
      worker.unref();
      this.timer = setTimeout(() => this.end(), REST).unref();
    }
  }

  private end(): void {
    void this.worker?.terminate();
    this.worker = undefined;
  }
}

function inSharedMemory(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const shared = new Uint8Array(new SharedArrayBuffer(bytes.length));
  shared.set(bytes);
  return shared;
}

function answerOf(worker: Worker, bytes: Uint8Array): Promise<Opened> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      worker.off('message', answered).off('error', failed).off('exit', ended);
    };
    const answered = (result: Opened): void => {
      done();
      resolve(result);
    };
    const failed = (e: Error): void => {
      done();
      reject(e);
    };
    const ended = (): void => failed(new Error('the thread that opens bundles has ended'));
    worker.on('message', answered).on('error', failed).on('exit', ended);
    worker.ref();
    worker.postMessage(bytes);
  });
}

function extraOf({ hint, details }: Pick<EigenError, 'hint' | 'details'>) {
  return { details, ...(hint === undefined ? {} : { hint }) };
}
