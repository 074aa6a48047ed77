import { BROKER_KINDS, type BrokerKind, CONTROLLER, rulesOf } from '../fleet/broker/rules.ts';
import { EigenError } from '../util/errors.ts';
import { isTopicName } from '../wire/protocol/topics.ts';
import type { FleetClient } from './fleet-client.ts';

export { BROKER_KINDS, type BrokerKind, CONTROLLER };

export interface BrokerRulesRequest {
  readonly kind: BrokerKind;
  readonly namespace: string;
  /** Login of the controllers; `CONTROLLER` where absent. */
  readonly controller?: string | undefined;
  /** Names of devices, where the broker has to know them. */
  devices(): Promise<readonly string[]>;
}

/**
 * What a broker elsewhere has to be told, so that no device reads or writes what is of another.
 * @throws EigenError EW1001_USAGE for a namespace that is none, and for a controller that a device could enrol as.
 */
export async function brokerRules({ kind, namespace, controller = CONTROLLER, devices }: BrokerRulesRequest): Promise<{
  readonly rules: string;
  /** How many devices are in it; undefined where its rules are for all. */
  readonly devices: number | undefined;
}> {
  if (!isTopicName(namespace))
    throw new EigenError('EW1001_USAGE', `'${namespace}' cannot be a namespace: 1 to 64 letters, digits, - and _`);
  if (isTopicName(controller) || !/^[\w.@-]{1,64}$/.test(controller))
    throw new EigenError(
      'EW1001_USAGE',
      `controllers cannot be '${controller}': a device could enrol under that name`,
      {
        hint: `Take a name with a dot in it, such as ${CONTROLLER}.`,
      },
    );
  const known = kind === 'mosquitto' ? undefined : await devices();
  return { rules: rulesOf[kind]({ namespace, controller, devices: known ?? [] }), devices: known?.length };
}

interface Page {
  readonly devices: readonly { readonly name: string; readonly revoked: boolean }[];
  readonly next: string | null;
}

/** All devices that have enrolled, without those that were revoked. */
export async function enrolledDevices(client: FleetClient, signal?: AbortSignal): Promise<string[]> {
  const names: string[] = [];
  for (let after: string | null = ''; after !== null; ) {
    const query: string = after === '' ? '' : `&after=${after}`;
    const page: Page = await client.ask('GET', `/v1/devices?limit=1000${query}`, undefined, signal);
    names.push(...page.devices.filter((d) => !d.revoked).map((d) => d.name));
    after = page.next;
  }
  return names;
}
