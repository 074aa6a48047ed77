import { publishBundle } from '../../app/publish.ts';
import { type Answer, defineCommand, repeatFlag, requiredFlag, valueFlag } from '../command.ts';
import { formatBytes } from '../format.ts';
import { pathIn, readText } from '../values.ts';
import { signingKeys, signingRequest } from './keys.ts';

export const publish = defineCommand({
  examples: [
    'eigenweights publish kws-2.ewb fleet --family kws --from kws-1.ewb --key /media/stick',
    'eigenweights publish eigenweights-agent.cjs fleet --family eigenweights-agent --board raspberry-pi-5',
  ],
  args: [
    { name: 'BUNDLE', help: 'a .ewb file, its board is the one it was compiled for; or an agent in one file' },
    { name: 'DIR', help: 'data folder of the fleet' },
  ],
  flags: {
    family: requiredFlag('NAME', 'what it is a version of', readText),
    board: valueFlag('ID', 'of the devices that an agent is for', readText),
    name: valueFlag('NAME', 'to list it under; else that of the file', readText),
    role: valueFlag('ROLE', 'who signs for it; else targets', readText),
    from: repeatFlag('OLD', 'a bundle that devices have: a delta from it is offered', (texts) => texts),
    key: signingKeys,
  },
  next: 'eigenweights rollout plan ...',
  async run({ args, flags }, context): Promise<Answer> {
    const [bundle, folder] = [pathIn(context.cwd, args[0]!), pathIn(context.cwd, args[1]!)];
    if (context.dryRun) return { data: { bundle, folder }, text: `would publish ${args[0]} in ${args[1]}` };
    context.leaves('the bundle may have been copied; it was not signed for');
    const { family, board, name, role, from } = flags;
    const report = await publishBundle({
      ...signingRequest(folder, flags.key, context),
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
