import { mkdir, rename, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { EigenError } from '../../util/errors.ts';
import { readBytes } from '../../util/files.ts';
import { newKey } from './certificate-request.ts';
import type { AgentConfig } from './config.ts';
import { readNamed } from './controller-files.ts';

export interface EnrolRequest {
  readonly config: AgentConfig;
  /** Address of the controller's API. */
  readonly url: string;
  /** File with the one-time token. */
  readonly tokenFile: string;
}

/** Longest answer that is read, bytes, and how long it may take, milliseconds. */
const MOST_ANSWER = 65_536;
const PATIENCE = 30_000;

const given = v.object({ password: v.optional(v.string()), certificate: v.optional(v.string()) });
const refusal = v.object({ error: v.object({ message: v.string() }) });

/**
 * Exchanges a one-time token for what the device logs in with, and writes it where the configuration says: a password, or a certificate
 * and its key, which never leaves the device. The controller's own certificate is checked by `ca` of the configuration.
 * @returns the files that were written, for their owner only.
 * @throws EigenError EW1005_CONFIG_INVALID where the configuration has no place for it, EW5005_ENROLMENT_FAILED.
 */
export async function enrolDevice({ config, url, tokenFile }: EnrolRequest): Promise<string[]> {
  const { controller, device } = config;
  if (!controller) throw unnamed('controller', 'a device that has none has nobody to enrol with');
  const { passwordFile, cert, key, ca } = controller.mqtt;
  const token = new TextDecoder().decode(await readBytes(tokenFile)).trim();
  const made = cert === undefined || key === undefined ? undefined : newKey(device);
  const body = { token, device, ...(made ? { request: made.request } : {}) };
  const trusted = ca === undefined ? undefined : await readNamed('mqtt.ca', ca);
  const answer = await post(new URL('/v1/enrol', url), body, trusted);
  const { password, certificate } = answer;
  if (certificate !== undefined && made) return writeSecrets([key!, made.key], [cert!, certificate]);
  if (password === undefined) throw failed(url, 'it gave neither a password nor a certificate');
  if (passwordFile === undefined) throw unnamed('controller.mqtt.passwordFile', 'the controller gives passwords');
  return writeSecrets([passwordFile, `${password}\n`]);
}

function post(url: URL, body: unknown, ca: Uint8Array | undefined): Promise<v.InferOutput<typeof given>> {
  const text = JSON.stringify(body);
  const options = {
    method: 'POST',
    timeout: PATIENCE,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    ...(ca ? { ca: Buffer.from(ca) } : {}),
  };
  return new Promise((resolve, reject) => {
    const ask = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const request = ask(url, options, (response) => {
      let answer = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        answer += chunk;
        if (answer.length > MOST_ANSWER) request.destroy(new Error('its answer does not end'));
      });
      response.on('end', () => {
        const said = parse(answer);
        const right = v.safeParse(given, said);
        if (response.statusCode === 201 && right.success) return resolve(right.output);
        const wrong = v.safeParse(refusal, said);
        reject(failed(url.href, wrong.success ? wrong.output.error.message : `it answers ${response.statusCode}`));
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${PATIENCE / 1000} s`)));
    request.on('error', (e) => reject(failed(url.href, e.message)));
    request.end(text);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Each under its name at once, readable for the owner only. */
async function writeSecrets(...files: readonly (readonly [path: string, content: string])[]): Promise<string[]> {
  for (const [path, content] of files) {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(`${path}.new`, content, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  return files.map(([path]) => path);
}

function unnamed(field: string, why: string): EigenError {
  return new EigenError('EW1005_CONFIG_INVALID', `${field} is missing: ${why}`, {
    hint: 'Name the files in the configuration, and enrol with a new token.',
    details: { field },
  });
}

function failed(url: string, reason: string): EigenError {
  return new EigenError('EW5005_ENROLMENT_FAILED', `${url}: the device was not enrolled: ${reason}`, {
    hint: 'Check the address and ca of the configuration; make a new token with eigenweights enrol.',
    details: { url },
  });
}
