import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { EigenError, type ErrorCode } from '../util/errors.ts';

/** How a controller is reached; what is absent is taken from the environment (EIGEN_URL, EIGEN_TOKEN, EIGEN_CA). */
export interface FleetAccess {
  readonly url?: string | undefined;
  /** File with a token of the API. */
  readonly tokenFile?: string | undefined;
  /** PEM file: whom the controller's certificate must come from. */
  readonly caFile?: string | undefined;
  /** Data folder of a controller on this machine, which has all three. */
  readonly data?: string | undefined;
}

const TIMEOUT = 60_000;

/** A body, and how long it is. */
interface Payload {
  readonly type: string;
  readonly bytes: number;
  readonly content: Buffer | Readable;
}

/** Asks a controller over its API. */
export class FleetClient {
  private readonly url: string;
  private readonly token: string;
  private readonly ca: Uint8Array | undefined;

  private constructor(url: string, token: string, ca: Uint8Array | undefined) {
    this.url = url;
    this.token = token;
    this.ca = ca;
  }

  /** @throws EigenError EW1001_USAGE where address or token are missing, EW1002_FILE_NOT_FOUND. */
  static async open(access: FleetAccess, env: Readonly<Record<string, string | undefined>>): Promise<FleetClient> {
    const inData = (name: string): Promise<Uint8Array | undefined> =>
      access.data === undefined ? Promise.resolve(undefined) : readFile(join(access.data, name)).catch(() => undefined);
    const text = async (bytes: Promise<Uint8Array | undefined>): Promise<string | undefined> => {
      const read = await bytes;
      return read && new TextDecoder().decode(read).trim();
    };
    const url = access.url ?? (await text(inData('url'))) ?? env.EIGEN_URL;
    const token = (await text(given(access.tokenFile))) ?? (await text(inData('admin.token'))) ?? env.EIGEN_TOKEN;
    if (!url || !token)
      throw new EigenError('EW1001_USAGE', `${url ? 'the token' : 'the address'} of the controller is missing`, {
        hint: 'Give --url and --token-file, or --data of a controller on this machine, or set EIGEN_URL and EIGEN_TOKEN.',
      });
    if (!URL.canParse(url))
      throw new EigenError('EW1001_USAGE', `'${url}' is no address: it is like https://HOST:PORT`);
    const ca = (await given(access.caFile ?? env.EIGEN_CA)) ?? (await inData('authority.crt'));
    return new FleetClient(url.replace(/\/$/, ''), token, ca);
  }

  /**
   * One request; what was answered.
   * @throws EigenError the controller's own, or EW5205_CONTROLLER_UNREACHABLE.
   */
  async ask<T>(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<T> {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const payload = content && { type: 'application/json', bytes: content.length, content };
    return this.answered<T>(method, path, payload, signal);
  }

  /** Sends bytes as they come, so many as are announced. Throws as `ask` does. */
  async put<T>(path: string, bytes: number, content: Readable, signal?: AbortSignal): Promise<T> {
    return this.answered<T>('PUT', path, { type: 'application/octet-stream', bytes, content }, signal);
  }

  /**
   * A file that the controller has for everybody; undefined where it has none.
   * @param most bytes: no more is read. @throws EigenError EW5205_CONTROLLER_UNREACHABLE, also for a longer one.
   */
  async file(path: string, most: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const { status, bytes } = await this.send('GET', path, undefined, signal, most).catch((cause: Error) => {
      signal?.throwIfAborted();
      throw unreachable(this.url, cause);
    });
    if (status === 404) return undefined;
    if (status === 200) return new Uint8Array(bytes);
    throw unreachable(this.url, new Error(`it answers ${status} for ${path}`));
  }

  private async answered<T>(
    method: string,
    path: string,
    payload: Payload | undefined,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const { status, bytes } = await this.send(method, path, payload, signal).catch((cause: Error) => {
      signal?.throwIfAborted();
      throw unreachable(this.url, cause);
    });
    const answer = parsed(bytes.toString());
    if (status >= 200 && status < 300 && answer !== undefined) return answer as T;
    throw errorOf(answer) ?? unreachable(this.url, new Error(`it answers ${status}, and not as a controller does`));
  }

  private send(
    method: string,
    path: string,
    payload: Payload | undefined,
    signal: AbortSignal | undefined,
    most = Number.POSITIVE_INFINITY,
  ): Promise<{ status: number; bytes: Buffer }> {
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(payload ? { 'content-type': payload.type, 'content-length': payload.bytes } : {}),
    };
    const url = `${this.url}${path}`;
    // A connection for each: one that was kept may be closed at the other end while it is used here.
    const options = { method, headers, timeout: TIMEOUT, agent: false as const, ...(signal ? { signal } : {}) };
    return new Promise((resolve, reject) => {
      const heard = (response: IncomingMessage): void => {
        const chunks: Buffer[] = [];
        let left = most;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          left -= chunk.length;
          if (left < 0) response.destroy(new Error(`more than the ${most} bytes that ${path} may have`));
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, bytes: Buffer.concat(chunks) }));
      };
      const ca = this.ca && Buffer.from(this.ca);
      const request = url.startsWith('https:')
        ? httpsRequest(url, { ...options, ...(ca ? { ca } : {}) }, heard)
        : httpRequest(url, options, heard);
      request.on('timeout', () => request.destroy(new Error(`no answer in ${TIMEOUT / 1000} s`)));
      request.on('error', reject);
      if (!(payload?.content instanceof Readable)) request.end(payload?.content);
      else
        pipeline(payload.content, request, (e) => {
          // Where the other side has answered already, that is what counts.
          if (e) setImmediate(() => reject(e));
        });
    });
  }
}

async function given(file: string | undefined): Promise<Uint8Array | undefined> {
  if (file === undefined) return undefined;
  return readFile(file).catch((cause: Error) => {
    throw new EigenError('EW1002_FILE_NOT_FOUND', `${file} cannot be read: ${cause.message}`, { cause });
  });
}

function unreachable(url: string, cause: Error): EigenError {
  return new EigenError('EW5205_CONTROLLER_UNREACHABLE', `no controller at ${url}: ${cause.message}`, {
    hint: 'Check the address, that eigenweights serve runs there, and --ca where it has certificates of its own.',
    cause,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(answer: unknown): EigenError | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined;
  const { code, message, hint, details } = answer.error as {
    code: ErrorCode;
    message: string;
    hint?: string;
    details?: Record<string, unknown>;
  };
  return new EigenError(code, message, { ...(hint === undefined ? {} : { hint }), ...(details ? { details } : {}) });
}
