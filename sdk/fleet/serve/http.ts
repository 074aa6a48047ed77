import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { cannotListen } from '../broker/broker.ts';

export interface HttpOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly api: Hono;
  /** Answers what is of the blobs' and gives whether it was. */
  blobs(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  onError(e: unknown): void;
}

export interface HttpServer {
  readonly port: number;
  /** Lets what is being answered end, for some seconds. */
  close(): Promise<void>;
}

const GOODBYE = 5000;

/** Serves the API and the blobs on one port. @throws EigenError EW5203_ADDRESS_IN_USE. */
export async function serveHttp(options: HttpOptions): Promise<HttpServer> {
  const api = getRequestListener(options.api.fetch, { overrideGlobalObjects: false });
  const answer: RequestListener = (request, response) => {
    options
      .blobs(request, response)
      .then((was) => (was ? undefined : api(request, response)))
      .catch((e: unknown) => {
        options.onError(e);
        response.destroy();
      });
  };
  const server: Server = options.tls ? createTlsServer(options.tls, answer) : createServer(answer);
  const port = await listen(server, options);
  return {
    port,
    close: () =>
      new Promise((resolve) => {
        const impatient = setTimeout(() => server.closeAllConnections(), GOODBYE);
        server.close(() => {
          clearTimeout(impatient);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}

function listen(server: Server, { host, port }: HttpOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(cannotListen(host, port, cause)));
    server.listen({ host, port }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}
