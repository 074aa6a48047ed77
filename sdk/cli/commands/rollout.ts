import {
  actOnRollout,
  createRollout,
  describeRollout,
  listRollouts,
  planRollout,
  publishedVersion,
  reportRollout,
  rolloutVerdict,
  watchRollout,
} from '../../app/rollouts.ts';
import type { FleetClient, RolloutInput, RolloutSummary } from '../../index.ts';
import * as report from '../../report/index.ts';
import { EigenError } from '../../util/errors.ts';
import { writeAtomic } from '../../util/files.ts';
import { type Answer, type Context, defineCommand, repeatFlag, switchFlag, valueFlag } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { table } from '../format.ts';
import { eventText, previewText, summaryText } from '../rollout-text.ts';
import { pathIn, readChoice, readCohort, readCohorts, readCount, readDuration, readText } from '../values.ts';

const VERBS = ['plan', 'start', 'watch', 'list', 'approve', 'pause', 'resume', 'abort', 'rollback'] as const;
type Verb = (typeof VERBS)[number];

export const rollout = defineCommand({
  examples: [
    "eigenweights rollout plan kws@2 --data fleet --bundle kws.ewb --query 'tag.site = lab' --waves 5,25%,100%",
    'eigenweights rollout start rollout.json --data fleet',
    "eigenweights rollout start kws@2 --data fleet --query 'tag.site = lab' --waves 5,25%,100%",
    'eigenweights rollout watch kws@2 --data fleet --report rollout.html',
    'eigenweights rollout abort kws@2 --data fleet --reason "too slow"',
  ],
  args: [
    { name: 'VERB', help: VERBS.join(', ') },
    {
      name: 'ROLLOUT',
      help: 'its name; plan, start: also a JSON file that describes it, or with --query a published FAMILY@VERSION',
      optional: true,
    },
  ],
  flags: {
    ...FLEET_FLAGS,
    bundle: repeatFlag('FILE', 'plan, start: a bundle, for its board; several: the best first', (texts) => texts),
    query: valueFlag('QUERY', "which devices, e.g. board ~ 'raspberry-pi-*' and tag.site = lab", readText),
    waves: valueFlag('SIZES', 'devices or shares, the canary first: 5,25%,100%', readCohorts),
    control: valueFlag('SIZE', 'devices that are held back until the last wave has passed', readCohort),
    soak: valueFlag('TIME', 'how long a wave is watched before the next', readDuration),
    'max-errors': valueFlag('N', 'installations that may fail', readCount),
    approval: switchFlag('somebody else has to approve it first'),
    leave: switchFlag('abort: devices that have the bundle keep it'),
    reason: valueFlag('TEXT', 'pause, abort, rollback: why', readText),
    report: valueFlag('FILE', 'watch: an HTML page of it in the end', readText),
  },
  next: 'eigenweights rollout watch ROLLOUT',
  async run({ args, flags }, context): Promise<Answer> {
    const verb: Verb = readChoice(VERBS)(args[0]!, 'rollout');
    const client = await fleetClient(flags, context);
    if (verb === 'list') return listed(client, context);
    const name = args[1];
    if (name === undefined)
      throw new EigenError('EW1001_USAGE', `rollout ${verb}: say which`, { hint: 'Its name, or a file.' });
    const described = name.endsWith('.json') || flags.bundle.length > 0 || flags.query !== undefined;
    if (verb === 'plan' || (verb === 'start' && described)) {
      const description = await describeRollout({
        ...(name.endsWith('.json') ? { file: pathIn(context.cwd, name) } : {}),
        bundles: flags.bundle.map((path) => pathIn(context.cwd, path)),
        fields: { ...fieldsOf(name, flags), ...(await variantsOf(client, name, flags, context)) },
      });
      return verb === 'plan' || context.dryRun
        ? planned(client, description, context)
        : started(client, description, context);
    }
    if (verb === 'watch') return watched(client, name, context, flags.report);
    if (context.dryRun) return { data: { verb, name }, text: `would ${verb} ${name}` };
    const { reason, leave } = flags;
    const options = {
      ...(reason === undefined ? {} : { reason }),
      ...(leave ? { leave } : {}),
      signal: context.signal,
    };
    return answerOf(await actOnRollout(client, name, verb, options));
  },
});

interface Described {
  readonly query: string | undefined;
  readonly waves: RolloutInput['waves'] | undefined;
  readonly control: RolloutInput['control'] | undefined;
  readonly soak: number | undefined;
  readonly 'max-errors': number | undefined;
  readonly approval: boolean;
}

/** Fields of the description that flags give. */
function fieldsOf(name: string, flags: Described): Partial<RolloutInput> {
  const { query, waves, control, soak, approval, 'max-errors': most } = flags;
  const gate = {
    ...(soak === undefined ? {} : { soakMilliseconds: soak }),
    ...(most === undefined ? {} : { errors: { count: most } }),
  };
  return {
    ...(name.endsWith('.json') ? {} : { name }),
    ...(query === undefined ? {} : { query }),
    ...(waves === undefined ? {} : { waves }),
    ...(control === undefined ? {} : { control }),
    ...(Object.keys(gate).length > 0 ? { gate } : {}),
    ...(approval ? { approval } : {}),
  };
}

/** Those of a published version, where no files are named. */
async function variantsOf(
  client: FleetClient,
  name: string,
  { bundle }: { readonly bundle: readonly string[] },
  { signal }: Context,
): Promise<Partial<RolloutInput>> {
  const published = bundle.length === 0 && !name.endsWith('.json') && name.includes('@');
  return published ? publishedVersion(client, name, signal) : {};
}

async function listed(client: FleetClient, { signal }: Context): Promise<Answer> {
  const rollouts = await listRollouts(client, signal);
  const rows = rollouts.map((r) => [r.id, r.phase, new Date(r.created).toISOString(), r.createdBy]);
  return { data: { rollouts }, text: rows.length > 0 ? table(rows) : 'there is no rollout' };
}

async function planned(client: FleetClient, description: unknown, context: Context): Promise<Answer> {
  const preview = await planRollout(client, description, context.signal);
  return { data: preview, text: previewText(preview, context.verbose > 0) };
}

async function started(client: FleetClient, description: unknown, { signal, leaves }: Context): Promise<Answer> {
  const made = await createRollout(client, description, signal);
  if ((description as RolloutInput).approval === true)
    return { data: made, text: `${made.id} waits for: eigenweights rollout approve ${made.id}, by somebody else` };
  leaves(`${made.id} is written down and may have been started`);
  return answerOf(await actOnRollout(client, made.id, 'start', { signal }));
}

function answerOf(summary: RolloutSummary): Answer {
  return { data: summary, text: summaryText(summary) };
}

async function watched(client: FleetClient, id: string, context: Context, page: string | undefined): Promise<Answer> {
  const { signal, progress, note } = context;
  context.leaves('the rollout goes on without being watched');
  const summary = await watchRollout(client, id, {
    signal,
    onChange(current, events) {
      for (const event of events) {
        const text = eventText(event);
        if (text) note(text);
      }
      const devices = current.waves.reduce((sum, w) => sum + w.devices, 0);
      const done = current.waves.reduce((sum, w) => sum + w.committed + w.failed + w.stalled + w.reverted, 0);
      progress({ stage: current.wave, done, total: devices, note: current.reason ?? current.waits ?? current.phase });
    },
  });
  if (page !== undefined) {
    const path = pathIn(context.cwd, page);
    await writeAtomic(path, new TextEncoder().encode(report.rolloutPage(await reportRollout(client, id, signal))));
    note(`wrote ${path}`);
  }
  const verdict = rolloutVerdict(summary);
  return { ...answerOf(summary), ...(verdict ? { verdict } : {}) };
}
