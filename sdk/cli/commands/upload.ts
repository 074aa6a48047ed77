import { uploadBlob } from '../../index.ts';
import { type Answer, defineCommand } from '../command.ts';
import { FLEET_FLAGS, fleetClient } from '../fleet-flags.ts';
import { formatBytes, table } from '../format.ts';
import { pathIn } from '../values.ts';

export const upload = defineCommand({
  examples: ['eigenweights upload kws-2.ewb --url https://fleet:8470 --token-file t'],
  args: [{ name: 'FILE', help: 'a bundle, a delta, or an agent in one file' }],
  flags: FLEET_FLAGS,
  next: 'eigenweights publish, where the metadata is signed',
  async run({ args, flags }, context): Promise<Answer> {
    const file = pathIn(context.cwd, args[0]!);
    if (context.dryRun) return { data: { file }, text: `would upload ${args[0]}` };
    const client = await fleetClient(flags, context);
    context.leaves('what has come stays for a day: the same command goes on from there');
    const report = await uploadBlob(client, file, {
      signal: context.signal,
      onProgress: (done, total) => context.progress({ stage: 'upload', done, total, note: formatBytes(done) }),
    });
    const sent = report.sent === 0 ? 'it was there' : `${formatBytes(report.sent)} sent`;
    const rows = [
      ['sha256', report.sha256],
      ['bytes', `${formatBytes(report.bytes)}, ${sent}`],
    ];
    return { data: report, text: table(rows) };
  },
});
