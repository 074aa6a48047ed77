import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { sourceFailed } from './source-failed.ts';

export interface HttpOptions {
  /** http:// or https://, of the folder that `blobs` and `metadata` are in. */
  readonly url: string;
  /** PEM: whom the server's certificate must come from, and who this side is. */
  readonly tls?: { readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array };
}

/** Without a byte for so long, a connection is given up, milliseconds. */
const SILENCE = 30_000;

/** Fetches files below an address, on connections that are kept. */
export class HttpFolder {
  private readonly base: URL;
  private readonly agent: HttpAgent;
  private readonly request: typeof httpRequest;

  /** @throws RangeError for an address that is none. */
  constructor({ url, tls = {} }: HttpOptions) {
    if (!URL.canParse(url) || !/^https?:/.test(url)) throw new RangeError(`'${url}' is no http address`);
    this.base = new URL(url.endsWith('/') ? url : `${url}/`);
    const pem = Object.fromEntries(Object.entries(tls).map(([name, bytes]) => [name, Buffer.from(bytes)]));
    const secure = this.base.protocol === 'https:';
    this.agent = secure ? new HttpsAgent({ keepAlive: true, ...pem }) : new HttpAgent({ keepAlive: true });
    this.request = secure ? httpsRequest : httpRequest;
  }

  /** Begins to get a file. @throws EigenError EW7104_SOURCE_FAILED when there is no answer. */
  get(path: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const url = new URL(path, this.base);
      const request = this.request(url, { agent: this.agent, headers, timeout: SILENCE }, resolve);
      request.on('timeout', () => request.destroy(new Error(`nothing came for ${SILENCE / 1000} s`)));
      request.on('error', (e) => reject(sourceFailed(`${url.href}: ${e.message}`)));
      request.end();
    });
  }

  close(): void {
    this.agent.destroy();
  }
}
