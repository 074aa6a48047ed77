import type { Worker } from 'node:worker_threads';
import { EigenError } from '../../util/errors.ts';
import type { EngineOptions } from '../engine/engine.ts';
import type { Opened, OpenedBundle, OpenRequest } from './open-thread.ts';
import { startThread } from './thread.ts';

/** A thread that nothing was asked of for so long ends, milliseconds. */
const REST = 2000;

/**
 * Opens bundles on a thread of their own: verifying, decoding and compiling take longer than inferences, which are not to wait for them.
 * The thread ends when it is not used.
 */
export class BundleOpener {
  private worker: Worker | undefined;
  /** Memory of an engine that was closed: models that change at once take turns in two memories, and leave nothing to collect. */
  private spare: WebAssembly.Memory | undefined;
  private timer: NodeJS.Timeout | undefined;
  /** One bundle after another. */
  private last: Promise<unknown> = Promise.resolve();

  /**
   * @param bytes are given away: they are empty after that.
   * @throws what `openBundle` throws.
   */
  open(bytes: Uint8Array, options: EngineOptions = {}): Promise<OpenedBundle> {
    const opened = this.last.then(() => this.ask(bytes, options));
    this.last = opened.catch(() => undefined);
    return opened;
  }

  /** Takes the memory of an engine that was closed. */
  giveBack(memory: WebAssembly.Memory): void {
    if (this.worker) this.spare = memory;
  }

  private async ask(bytes: Uint8Array, options: EngineOptions): Promise<OpenedBundle> {
    clearTimeout(this.timer);
    const worker = this.worker ?? startThread();
    this.worker = worker;
    try {
      const { spare } = this;
      this.spare = undefined;
      const result = await answerOf(worker, { bytes, options: { ...options, ...(spare ? { spare } : {}) } });
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
    this.spare = undefined;
  }
}

function answerOf(worker: Worker, request: OpenRequest): Promise<Opened> {
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
    worker.postMessage(request, [request.bytes.buffer as ArrayBuffer]);
  });
}

function extraOf({ hint, details }: Pick<EigenError, 'hint' | 'details'>) {
  return { details, ...(hint === undefined ? {} : { hint }) };
}
