import { BROKER_KINDS, brokerRules, enrolledDevices } from '../../index.ts';
import { type Answer, defineCommand, valueFlag } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { readChoice, readText } from '../values.ts';

const readKind = readChoice(BROKER_KINDS);

export const brokerRulesCommand = defineCommand({
  examples: [
    'eigenweights broker-rules mosquitto > eigenweights.acl',
    'eigenweights broker-rules rabbitmq --data fleet > eigenweights.json',
  ],
  args: [
    {
      name: 'BROKER',
      help: 'mosquitto, nats or rabbitmq; the last two have to know the devices, and so ask the controller',
    },
  ],
  flags: {
    ...FLEET_FLAGS,
    namespace: valueFlag('NAME', "of the fleet's topics; default by default", readText),
    controller: valueFlag('NAME', 'what controllers log in as; eigenweights.controller by default', readText),
  },
  async run({ args, flags }, context): Promise<Answer> {
    const { rules, devices } = await brokerRules({
      kind: readKind(args[0]!, 'BROKER'),
      namespace: flags.namespace ?? 'default',
      controller: flags.controller,
      devices: async () => enrolledDevices(await fleetClient(flags, context), context.signal),
    });
    return { data: { rules, devices: devices ?? null }, text: rules.trimEnd() };
  },
});
