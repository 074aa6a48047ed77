import type { FleetClient } from './fleet-client.ts';

type Client = Pick<FleetClient, 'ask'>;

/** What a controller knows of a device; times are milliseconds since 1970. */
export interface FleetDevice {
  readonly name: string;
  readonly board: string | null;
  /** Version of its agent. */
  readonly agent: string | null;
  readonly online: boolean;
  readonly revoked: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** SHA-256 of what the machine is. */
  readonly profile: string | null;
  /** SHA-256 of its agent, where it came by an update. */
  readonly self: string | null;
  /** SHA-256 of the model that runs. */
  readonly running: string | null;
  readonly step: string | null;
  /** Bytes, while it fetches. */
  readonly done: number | null;
  readonly total: number | null;
  /** What it waits for, in its own words. */
  readonly why: string | null;
  /** Microseconds, bytes, degrees Celsius. */
  readonly p95: number | null;
  readonly memory: number | null;
  readonly temperature: number | null;
  /** What it was told last, and what became of it. */
  readonly desired: {
    readonly action: 'install' | 'pause' | 'abort';
    readonly target: string;
    readonly at: number;
    readonly state: string;
    readonly code: string | null;
    readonly reason: string | null;
  } | null;
}

/** How an update of a device ended. */
export interface DeviceReport {
  readonly at: number;
  readonly outcome: string;
  readonly step: string | null;
  readonly code: string | null;
  readonly attack: string | null;
  readonly reason: string | null;
  readonly received: number;
}

export interface DeviceFilter {
  readonly board?: string | undefined;
  /** Of what it was told: pending, delivered, committed, rolled-back, refused, failed, stalled. */
  readonly state?: string | undefined;
  readonly online?: boolean | undefined;
  readonly tag?: readonly [name: string, value: string] | undefined;
}

/** Most devices of one answer, as the API has it. */
const PAGE = 1000;

/** Devices in the order of their names, at most so many; and whether there are more. */
export async function listDevices(
  client: Client,
  { board, state, online, tag }: DeviceFilter,
  most: number,
  signal?: AbortSignal,
): Promise<{ readonly devices: readonly FleetDevice[]; readonly more: boolean }> {
  const filter = {
    ...(board === undefined ? {} : { board }),
    ...(state === undefined ? {} : { state }),
    ...(online === undefined ? {} : { online: String(online) }),
    ...(tag === undefined ? {} : { tag: tag.join('=') }),
  };
  const devices: FleetDevice[] = [];
  for (let after = ''; ; after = devices.at(-1)!.name) {
    // One more than are wanted says whether there are more.
    const limit = Math.min(PAGE, most + 1 - devices.length);
    const query = new URLSearchParams({ ...filter, limit: String(limit), ...(after === '' ? {} : { after }) });
    const path = `/v1/devices?${query}`;
    const page = await client.ask<{ devices: FleetDevice[]; next: string | null }>('GET', path, undefined, signal);
    devices.push(...page.devices);
    if (page.next === null || devices.length > most)
      return { devices: devices.slice(0, most), more: devices.length > most };
  }
}

const pathOf = (name: string): string => `/v1/devices/${encodeURIComponent(name)}`;

/** A device and its last reports, the newest first. @throws EigenError EW2102_NOT_FOUND. */
export function showDevice(
  client: Client,
  name: string,
  signal?: AbortSignal,
): Promise<{ readonly device: FleetDevice; readonly reports: readonly DeviceReport[] }> {
  return client.ask('GET', pathOf(name), undefined, signal);
}

/** Gives a device these tags in place of those that it has. */
export async function tagDevice(
  client: Client,
  name: string,
  tags: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<FleetDevice> {
  return (await client.ask<{ device: FleetDevice }>('PATCH', pathOf(name), { tags }, signal)).device;
}

/** Takes a device's credentials back, and ends its connection; false where it had none. */
export async function revokeDevice(client: Client, name: string, signal?: AbortSignal): Promise<boolean> {
  return (await client.ask<{ done: boolean }>('POST', `${pathOf(name)}/revoke`, {}, signal)).done;
}

/** Forgets a device, and everything about it but the audit log. */
export async function removeDevice(client: Client, name: string, signal?: AbortSignal): Promise<void> {
  await client.ask('DELETE', pathOf(name), undefined, signal);
}
