import type { FleetClient } from '../../index.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, defineCommand, valueFlag } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { table } from '../format.ts';
import { readChoice, readCount } from '../values.ts';

interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly created: number;
  readonly expires: number | null;
  readonly revoked: number | null;
}

const VERBS = ['create', 'list', 'revoke'] as const;
const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;

export const token = defineCommand({
  examples: [
    'eigenweights token create ci --role operator --days 90 --data fleet',
    'eigenweights token list --data fleet',
    'eigenweights token revoke 3f0c52e1a49b8d7706e2c1aa --data fleet',
  ],
  args: [
    { name: 'VERB', help: VERBS.join(', ') },
    {
      name: 'WHICH',
      help: "create: what it is called, e.g. whose it is; revoke: its id, as 'list' shows it",
      optional: true,
    },
  ],
  flags: {
    ...FLEET_FLAGS,
    role: valueFlag('ROLE', `create: ${ROLES.join(', ')}`, readChoice(ROLES)),
    days: valueFlag('N', 'create: how long it can be used; for good by default', readCount),
  },
  async run({ args, flags }, context): Promise<Answer> {
    const verb = readChoice(VERBS)(args[0]!, 'token');
    const client = await fleetClient(flags, context);
    const { signal, dryRun } = context;
    if (verb === 'list') {
      const { tokens } = await client.ask<{ tokens: readonly Token[] }>('GET', '/v1/tokens', undefined, signal);
      return { data: { tokens }, text: table(tokens.map(rowOf)) };
    }
    const which = args[1];
    if (which === undefined)
      throw new EigenError('EW1001_USAGE', `token ${verb}: say ${verb === 'create' ? 'what it is called' : 'which'}`);
    if (dryRun) return { data: { verb, which }, text: `would ${verb} ${which}` };
    if (verb === 'create') return created(client, which, flags, signal);
    await client.ask('DELETE', `/v1/tokens/${encodeURIComponent(which)}`, undefined, signal);
    return { data: { revoked: which }, text: `${which} opens nothing any more` };
  },
});

async function created(
  client: FleetClient,
  name: string,
  { role, days }: { readonly role: (typeof ROLES)[number] | undefined; readonly days: number | undefined },
  signal: AbortSignal,
): Promise<Answer> {
  if (!role)
    throw new EigenError('EW1001_USAGE', 'token create: say what its holder may do', {
      hint: `Use --role with ${ROLES.join(', ')}.`,
    });
  const body = { name, role, ...(days === undefined ? {} : { days }) };
  const made = await client.ask<{ token: Token; secret: string }>('POST', '/v1/tokens', body, signal);
  const rows = [
    ['id', made.token.id],
    ['token', made.secret],
    ['until', untilOf(made.token)],
  ];
  return { data: { ...made.token, secret: made.secret }, text: table(rows) };
}

function rowOf(token: Token): string[] {
  const { id, name, role, created: at } = token;
  return [id, role, new Date(at).toISOString(), untilOf(token), name];
}

function untilOf({ expires, revoked }: Token): string {
  if (revoked !== null) return `revoked ${new Date(revoked).toISOString()}`;
  return expires === null ? 'for good' : new Date(expires).toISOString();
}
