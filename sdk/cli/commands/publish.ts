import { publishBundle } from '../../app/publish.ts';
import { type Answer, defineCommand, repeatFlag, requiredFlag, valueFlag } from '../command.ts';
import { formatBytes } from '../format.ts';
import { PUBLISH_FLAGS, publishingPlace, WHERE } from '../publish-flags.ts';
import { pathIn, readText } from '../values.ts';

export const publish = defineCommand({
  examples: [
    'eigenweights publish kws-2.ewb fleet --family kws --from kws-1.ewb --key /media/stick',
    'eigenweights publish eigenweights-agent.cjs fleet --family eigenweights-agent --board raspberry-pi-5',
    'eigenweights publish kws-2.ewb https://fleet:8470 --family kws --key ~/targets.pem --root root.json --token-file t',
  ],
  args: [
    { name: 'BUNDLE', help: 'a .ewb file, its board is the one it was compiled for; or an agent in one file' },
    WHERE,
  ],
  flags: {
    family: requiredFlag('NAME', 'what it is a version of', readText),
    board: valueFlag('ID', 'of the devices that an agent is for', readText),
    name: valueFlag('NAME', 'to list it under; else that of the file', readText),
    from: repeatFlag('OLD', 'a bundle that devices have: a delta from it is offered', (texts) => texts),
    ...PUBLISH_FLAGS,
  },
  next: 'eigenweights rollout plan ...',
  async run({ args, flags }, context): Promise<Answer> {
    const [bundle, where] = [pathIn(context.cwd, args[0]!), args[1]!];
    if (context.dryRun) return { data: { bundle, where }, text: `would publish ${args[0]} in ${where}` };
    const place = await publishingPlace(where, flags, context);
    context.leaves('the bundle may have been copied; it was not signed for. The same command goes on from there');
    const { family, board, name, role, from } = flags;
    const report = await publishBundle({
      ...place,
      ...{ bundle, family, from: from.map((old) => pathIn(context.cwd, old)) },
      ...(board === undefined ? {} : { board }),
      ...(name === undefined ? {} : { name }),
      ...(role === undefined ? {} : { role }),
    });
    const deltas = report.deltas.map((d) => `delta from ${d.from.slice(0, 8)}: ${formatBytes(d.bytes)}`);
    const text = [`${report.path}, ${formatBytes(report.bytes)}`, `sha256 ${report.sha256}`, ...deltas].join('\n');
    return { data: report, text };
  },
});
