import { EigenError } from '../../util/errors.ts';
import { type Answer, defineCommand, valueFlag } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { table } from '../format.ts';
import { readChoice, readCount } from '../values.ts';

interface Entry {
  readonly n: number;
  readonly at: number;
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly details: Readonly<Record<string, unknown>>;
}

interface Verified {
  readonly entries: number;
  readonly problems: readonly { readonly n: number; readonly problem: string }[];
}

const readVerb = readChoice(['list', 'verify']);

export const audit = defineCommand({
  examples: ['eigenweights audit verify --data fleet', 'eigenweights audit list --data fleet --last 20'],
  args: [{ name: 'VERB', help: 'list or verify' }],
  flags: { ...FLEET_FLAGS, last: valueFlag('N', 'list: entries, the newest; 100 by default, 1000 at most', readCount) },
  async run({ args, flags }, context): Promise<Answer> {
    const verb = readVerb(args[0]!, 'audit');
    const client = await fleetClient(flags, context);
    if (verb === 'verify')
      return verified(await client.ask<Verified>('GET', '/v1/audit/verify', undefined, context.signal));
    const { entries } = await client.ask<{ entries: readonly Entry[] }>(
      'GET',
      `/v1/audit?limit=${flags.last ?? 100}`,
      undefined,
      context.signal,
    );
    const rows = entries.map((e) => [
      String(e.n),
      new Date(e.at).toISOString(),
      e.actor,
      e.action,
      e.subject,
      JSON.stringify(e.details),
    ]);
    return { data: { entries }, text: table(rows) };
  },
});

function verified(found: Verified): Answer {
  const [first] = found.problems;
  if (!first) return { data: found, text: `${found.entries} entries, none was changed or removed` };
  const message = `entry ${first.n}: ${first.problem}${found.problems.length > 1 ? ` (and ${found.problems.length - 1} more)` : ''}`;
  return {
    data: found,
    text: table(found.problems.map(({ n, problem }) => [String(n), problem])),
    verdict: new EigenError('EW6203_AUDIT_BROKEN', message, { details: { entries: found.entries } }),
  };
}
