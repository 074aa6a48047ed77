import { readFile } from 'node:fs/promises';
import type { MqttOptions } from '../../transport/mqtt.ts';
import { EigenError } from '../../util/errors.ts';
import type { AgentConfig, PemFiles } from './config.ts';

/** What a configuration says about a controller. */
export type ControllerConfig = NonNullable<AgentConfig['controller']>;

/** How a device logs in to its broker; secrets come from files. */
export async function mqttOptions(
  device: string,
  { mqtt }: ControllerConfig,
): Promise<Pick<MqttOptions, 'url' | 'clientId' | 'username' | 'password' | 'tls' | 'version'>> {
  const { url, version, username, passwordFile } = mqtt;
  const password = passwordFile === undefined ? undefined : await readNamed('mqtt.passwordFile', passwordFile);
  const user = username ?? (password && device);
  return {
    url,
    // A broker ends a connection when another one of its name comes.
    clientId: device,
    tls: await pemOf('mqtt', mqtt),
    ...(version === undefined ? {} : { version }),
    ...(user === undefined ? {} : { username: user }),
    ...(password ? { password: withoutNewline(password) } : {}),
  };
}

export async function pemOf(
  part: string,
  { ca, cert, key }: PemFiles,
): Promise<{ readonly ca?: Uint8Array; readonly cert?: Uint8Array; readonly key?: Uint8Array }> {
  const files = Object.entries({ ca, cert, key }).flatMap(([name, file]) =>
    file === undefined ? [] : [{ name, file }],
  );
  const read = files.map(async ({ name, file }) => [name, await readNamed(`${part}.${name}`, file)] as const);
  return Object.fromEntries(await Promise.all(read));
}

/** @throws EigenError EW1005_CONFIG_INVALID naming the field; nothing of the content is in it. */
export async function readNamed(field: string, file: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new EigenError('EW1005_CONFIG_INVALID', `controller.${field}: ${file} cannot be read: ${reason}`, {
      hint: 'Put the file there, readable for the user of the agent.',
      details: { field, file },
      cause,
    });
  }
}

function withoutNewline(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end--;
  return bytes.subarray(0, end);
}
