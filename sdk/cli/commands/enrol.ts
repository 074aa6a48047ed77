import { type Answer, defineCommand, repeatFlag, valueFlag } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { table } from '../format.ts';
import { readHours, readTags } from '../values.ts';

interface Made {
  readonly enrolment: { readonly id: string; readonly expires: number };
  readonly token: string;
}

export const enrol = defineCommand({
  examples: [
    'eigenweights enrol --data fleet',
    'eigenweights enrol --url https://fleet:8470 --token-file t --tag site=lab --hours 2',
  ],
  args: [],
  flags: {
    ...FLEET_FLAGS,
    tag: repeatFlag('NAME=VALUE', 'what the device is tagged with', readTags),
    hours: valueFlag('N', 'how long it can be used; 24 by default', readHours),
  },
  next: 'eigenweights agent --config FILE on the device',
  async run({ flags }, context): Promise<Answer> {
    const client = await fleetClient(flags, context);
    const hours = flags.hours === undefined ? {} : { hours: flags.hours };
    const { enrolment, token } = await client.ask<Made>(
      'POST',
      '/v1/enrolments',
      { tags: flags.tag, ...hours },
      context.signal,
    );
    const text = table([
      ['token', token],
      ['until', new Date(enrolment.expires).toISOString()],
    ]);
    return { data: { ...enrolment, token }, text };
  },
});
