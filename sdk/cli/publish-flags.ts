import type { PublishWhere } from '../index.ts';
import { EigenError } from '../util/errors.ts';
import { type Context, type FlagValues, valueFlag } from './command.ts';
import { signingKeys, signingRequest } from './commands/keys.ts';
import { FLEET_FLAGS, fleetClient } from './fleet-flags.ts';
import { formatBytes } from './format.ts';
import { pathIn, readText } from './values.ts';

/** Where something is published, as an argument. */
export const WHERE = {
  name: 'WHERE',
  help: 'data folder of the fleet, or the address of a controller elsewhere: https://HOST:PORT',
};

/** Flags of commands that change what devices may run. */
export const PUBLISH_FLAGS = {
  role: valueFlag('ROLE', 'who signs for it; else targets', readText),
  key: signingKeys,
  root: valueFlag(
    'FILE',
    'a controller elsewhere: the root that is trusted, metadata/1.root.json of the fleet; beside it is kept what was seen last',
    readText,
  ),
  'token-file': FLEET_FLAGS['token-file'],
  ca: FLEET_FLAGS.ca,
};

/** The place that the argument and the flags name. Keys stay on this machine in both cases. */
export async function publishingPlace(
  where: string,
  flags: FlagValues<typeof PUBLISH_FLAGS>,
  context: Context,
): Promise<PublishWhere> {
  if (!/^https?:\/\//.test(where)) return signingRequest(pathIn(context.cwd, where), flags.key, context);
  if (flags.root === undefined)
    throw new EigenError(
      'EW1001_USAGE',
      'what a controller elsewhere has cannot be told from a forgery without --root',
      {
        hint: 'Give a copy of metadata/1.root.json of the fleet, the file that devices are delivered with.',
      },
    );
  const { folder: _, ...keys } = signingRequest('', flags.key, context);
  const access = { url: where, 'token-file': flags['token-file'], ca: flags.ca, data: undefined };
  return {
    ...keys,
    client: await fleetClient(access, context),
    root: pathIn(context.cwd, flags.root),
    upload: {
      signal: context.signal,
      onProgress: (done, total) => context.progress({ stage: 'upload', done, total, note: formatBytes(done) }),
    },
  };
}
