import { readFile } from 'node:fs/promises';
import type { ServeOptions } from '../fleet/serve/serve.ts';
import { EigenError } from '../util/errors.ts';
import { isTopicName } from '../wire/protocol/topics.ts';

export interface ServeRequest
  extends Pick<ServeOptions, 'data' | 'namespace' | 'host' | 'port' | 'mqttPort' | 'names' | 'tls'> {
  /** mqtt:// or mqtts:// of a broker elsewhere, and files with what this side logs in with. */
  readonly broker?: string | undefined;
  readonly brokerUser?: string | undefined;
  readonly brokerPasswordFile?: string | undefined;
  readonly brokerCaFile?: string | undefined;
  readonly brokerCertFile?: string | undefined;
  readonly brokerKeyFile?: string | undefined;
  /** File with the postgres:// address of a database server. */
  readonly databaseFile?: string | undefined;
  readonly auditKeyFile?: string | undefined;
}

export interface Served {
  readonly url: string;
  readonly broker: string;
}

/**
 * Runs a controller until the signal aborts; then everything is ended in order. Its log says where it is reached.
 * @param log writes a line of it.
 */
export async function serveFleet(
  request: ServeRequest,
  { signal, log }: { signal: AbortSignal; log(line: string): void },
): Promise<Served> {
  if (!isTopicName(request.namespace))
    throw new EigenError(
      'EW1001_USAGE',
      `'${request.namespace}' cannot be a namespace: 1 to 64 letters, digits, - and _`,
    );
  // The controller's libraries are large: other commands do without.
  const { serve, jsonLines } = await import('../fleet/serve/index.ts');
  const { broker, databaseFile, auditKeyFile, ...options } = request;
  const running = await serve({
    ...options,
    ...(broker === undefined ? {} : { broker: await externalBroker(broker, request) }),
    ...(databaseFile === undefined ? {} : { databaseUrl: (await read(databaseFile)).toString().trim() }),
    ...(auditKeyFile === undefined ? {} : { auditKey: await read(auditKeyFile) }),
    log: jsonLines(log, Date.now),
  });
  const served = { url: running.url, broker: running.brokerUrl };
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await running.stop();
  return served;
}

async function externalBroker(url: string, request: ServeRequest): Promise<NonNullable<ServeOptions['broker']>> {
  const { brokerUser, brokerPasswordFile, brokerCaFile, brokerCertFile, brokerKeyFile } = request;
  // A line's end is not of the password.
  const password = brokerPasswordFile === undefined ? undefined : (await read(brokerPasswordFile)).toString().trimEnd();
  return {
    url,
    ...(brokerUser === undefined ? {} : { username: brokerUser }),
    ...(password === undefined ? {} : { password: new TextEncoder().encode(password) }),
    ...(brokerCaFile === undefined ? {} : { ca: await read(brokerCaFile) }),
    ...(brokerCertFile === undefined ? {} : { cert: await read(brokerCertFile) }),
    ...(brokerKeyFile === undefined ? {} : { key: await read(brokerKeyFile) }),
  };
}

async function read(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: Error) => {
    throw new EigenError('EW1002_FILE_NOT_FOUND', `${file} cannot be read: ${cause.message}`, { cause });
  });
}
