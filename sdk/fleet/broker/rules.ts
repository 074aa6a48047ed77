import { type Channel, deviceTopic, everyDevice } from '../../wire/protocol/topics.ts';
import { CONTROLLER_HEARS, CONTROLLER_SAYS, HEARS, SAYS } from './rights.ts';

/** Name of controllers on a broker elsewhere. It has a dot: no device can enrol under it. */
export const CONTROLLER = 'eigenweights.controller';

/** Who is to use a broker elsewhere. */
export interface BrokerUsers {
  readonly namespace: string;
  /** Login of the controllers. */
  readonly controller: string;
  /** Logins of the devices, which are their names. */
  readonly devices: readonly string[];
}

export const BROKER_KINDS = ['mosquitto', 'nats', 'rabbitmq'] as const;
export type BrokerKind = (typeof BROKER_KINDS)[number];

/** Rules of a kind of broker that give devices their own topics and controllers those of all: text of a file that the broker reads. */
export const rulesOf: Readonly<Record<BrokerKind, (users: BrokerUsers) => string>> = {
  mosquitto: mosquittoRules,
  nats: natsRules,
  rabbitmq: rabbitmqRules,
};

const SHARD = '[0-9a-f]{2}';

/** For `acl_file`. One rule on the name of whoever logs in is for all devices, also those that enrol later. */
function mosquittoRules({ namespace, controller }: BrokerUsers): string {
  const own = (channel: Channel): string => everyDevice(namespace, channel).replace(/\+(\/[a-z]+)$/, '%u$1');
  const lines = [
    `user ${controller}`,
    ...CONTROLLER_HEARS.map((c) => `topic read ${everyDevice(namespace, c)}`),
    ...CONTROLLER_SAYS.map((c) => `topic write ${everyDevice(namespace, c)}`),
    '',
    ...SAYS.map((c) => `pattern write ${own(c)}`),
    ...HEARS.map((c) => `pattern read ${own(c)}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** What the server's MQTT does for who subscribes with QoS 1. */
const NATS_DELIVERY = '$MQTT.sub.>';

/** To be included in the configuration: users by the names in their certificates (`verify_and_map`). */
function natsRules({ namespace, controller, devices }: BrokerUsers): string {
  const user = (name: string, says: readonly string[], hears: readonly string[]): string => {
    const permissions = { publish: says.map(subject), subscribe: [...hears.map(subject), NATS_DELIVERY] };
    return `    { user: ${JSON.stringify(`CN=${name}`)}, permissions: ${JSON.stringify(permissions)} }`;
  };
  const all = (channels: readonly Channel[]): string[] => channels.map((c) => everyDevice(namespace, c));
  const own = (device: string, channels: readonly Channel[]): string[] =>
    channels.map((channel) => deviceTopic({ namespace, device, channel }));
  const users = [
    user(controller, all(CONTROLLER_SAYS), all(CONTROLLER_HEARS)),
    ...devices.map((device) => user(device, own(device, SAYS), own(device, HEARS))),
  ];
  return `authorization {\n  users: [\n${users.join('\n')}\n  ]\n}\n`;
}

/** A topic or filter of MQTT as NATS has it. */
function subject(topic: string): string {
  return topic.replaceAll('/', '.').replaceAll('+', '*');
}

/** Definitions to import: users without a password, who log in with certificates (`ssl_cert_login`), and what each may. */
function rabbitmqRules({ namespace, controller, devices }: BrokerUsers): string {
  const topics = (device: string, channels: readonly Channel[], shard = SHARD): string =>
    `^ew1\\.${namespace}\\.${shard}\\.${device}\\.(${channels.join('|')})$`;
  // A wildcard of a subscription is a topic as well.
  const all = (channels: readonly Channel[]): string => topics('(\\*|[^.]+)', channels, `(\\*|${SHARD})`);
  const rows = [
    { user: controller, client: 'controller-[^.]+', write: all(CONTROLLER_SAYS), read: all(CONTROLLER_HEARS) },
    ...devices.map((device) => ({
      ...{ user: device, client: device },
      ...{ write: topics(device, SAYS), read: topics(device, HEARS) },
    })),
  ];
  const definitions = {
    vhosts: [{ name: '/' }],
    users: rows.map(({ user }) => ({ name: user, password_hash: '', tags: '' })),
    permissions: rows.map(({ user, client }) => {
      const queue = `mqtt-subscription-${client}qos[01]`;
      const access = `^(${queue}|amq\\.topic)$`;
      return { user, vhost: '/', configure: `^${queue}$`, write: access, read: access };
    }),
    topic_permissions: rows.map(({ user, write, read }) => ({ user, vhost: '/', exchange: 'amq.topic', write, read })),
  };
  return `${JSON.stringify(definitions, null, 2)}\n`;
}
