import { listDevices, removeDevice, revokeDevice, showDevice, tagDevice } from '../../app/devices.ts';
import type { FleetClient } from '../../index.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, defineCommand, repeatFlag, switchFlag, valueFlag } from '../command.ts';
import { devicesText, deviceText } from '../device-text.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { readChoice, readCount, readTags, readText } from '../values.ts';

const VERBS = ['list', 'show', 'tag', 'revoke', 'remove'] as const;
type Verb = (typeof VERBS)[number];

/** Flags that not all take. */
const TAKEN_BY: Readonly<Record<'board' | 'state' | 'away' | 'tag' | 'most', readonly Verb[]>> = {
  board: ['list'],
  state: ['list'],
  away: ['list'],
  tag: ['list', 'tag'],
  most: ['list'],
};

const STATES = ['pending', 'delivered', 'committed', 'rolled-back', 'refused', 'failed', 'stalled'] as const;

/** Devices that are listed where nobody says how many. */
const MOST = 200;

export const devices = defineCommand({
  examples: [
    'eigenweights devices list --data fleet',
    'eigenweights devices list --data fleet --state failed --tag site=lab',
    'eigenweights devices show camera-7 --data fleet',
    'eigenweights devices tag camera-7 --tag site=berlin --data fleet',
    'eigenweights devices revoke camera-7 --data fleet',
  ],
  args: [
    { name: 'VERB', help: VERBS.join(', ') },
    { name: 'DEVICE', help: 'its name; not for list', optional: true },
  ],
  flags: {
    ...FLEET_FLAGS,
    board: valueFlag('ID', 'list: of this board', readText),
    state: valueFlag('STATE', `list: where the last update is ${STATES.join(', ')}`, readChoice(STATES)),
    away: switchFlag('list: that are not there'),
    tag: repeatFlag('NAME=VALUE', 'list: that have it, one; tag: what it is tagged with from now on', readTags),
    most: valueFlag('N', `list: so many at most; ${MOST} by default`, readCount),
  },
  async run({ args, flags }, context): Promise<Answer> {
    const verb = readChoice(VERBS)(args[0]!, 'devices');
    check(verb, args[1], flags);
    const client = await fleetClient(flags, context);
    const { signal, dryRun } = context;
    if (verb === 'list') return listed(client, flags, signal);
    const name = args[1]!;
    if (verb === 'show') {
      const found = await showDevice(client, name, signal);
      return { data: found, text: deviceText(found.device, found.reports, Date.now()) };
    }
    if (dryRun) return { data: { verb, name }, text: `would ${verb} ${name}` };
    if (verb === 'tag') {
      const device = await tagDevice(client, name, flags.tag, signal);
      return { data: { device }, text: deviceText(device, [], Date.now()) };
    }
    if (verb === 'revoke') {
      const had = await revokeDevice(client, name, signal);
      return { data: { revoked: had }, text: had ? `${name} is let in no more` : `${name} has no credentials` };
    }
    await removeDevice(client, name, signal);
    return { data: { removed: name }, text: `${name} is forgotten` };
  },
});

/** @throws EigenError EW1001_USAGE for what a verb does not take, and for what it cannot do without. */
function check(verb: Verb, name: string | undefined, { board, state, away, tag, most }: Filter): void {
  const tagged = Object.keys(tag).length > 0;
  const given = { board: board !== undefined, state: state !== undefined, away, tag: tagged, most: most !== undefined };
  for (const [flag, verbs] of Object.entries(TAKEN_BY))
    if (given[flag as keyof typeof given] && !verbs.includes(verb))
      throw usage(verb, `--${flag} is for ${verbs.join(' and ')}`);
  if (verb === 'list' && name !== undefined) throw usage(verb, `it takes no DEVICE, '${name.slice(0, 128)}' was given`);
  if (verb !== 'list' && name === undefined) throw usage(verb, 'say which');
  if (verb === 'tag' && !tagged) throw usage(verb, 'say --tag NAME=VALUE, all that it is to have');
}

function usage(verb: Verb, problem: string): EigenError {
  return new EigenError('EW1001_USAGE', `devices ${verb}: ${problem}`, { hint: 'eigenweights devices --help' });
}

interface Filter {
  readonly board: string | undefined;
  readonly state: string | undefined;
  readonly away: boolean;
  readonly tag: Readonly<Record<string, string>>;
  readonly most: number | undefined;
}

async function listed(
  client: FleetClient,
  { board, state, away, tag, most = MOST }: Filter,
  signal: AbortSignal,
): Promise<Answer> {
  const [one, ...others] = Object.entries(tag);
  if (others.length > 0)
    throw new EigenError('EW1001_USAGE', 'devices list: one --tag at a time', {
      hint: '`eigenweights rollout plan` finds devices by any question.',
    });
  const filter = { board, state, tag: one, ...(away ? { online: false } : {}) };
  const found = await listDevices(client, filter, most, signal);
  const lines = [
    found.devices.length > 0 ? devicesText(found.devices, Date.now()) : 'there is no such device',
    ...(found.more ? [`and more: --most ${10 * most}`] : []),
  ];
  return { data: found, text: lines.join('\n') };
}
