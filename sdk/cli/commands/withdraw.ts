import { withdrawBundle } from '../../app/publish.ts';
import { type Answer, defineCommand, valueFlag } from '../command.ts';
import { pathIn, readText } from '../values.ts';
import { signingKeys, signingRequest } from './keys.ts';

export const withdraw = defineCommand({
  examples: ['eigenweights withdraw kws/raspberry-pi-5/kws-2.ewb fleet --key /media/stick'],
  args: [
    { name: 'PATH', help: 'FAMILY/BOARD/NAME, as it is listed' },
    { name: 'DIR', help: 'data folder of the fleet' },
  ],
  flags: { role: valueFlag('ROLE', 'who signs for it; else targets', readText), key: signingKeys },
  async run({ args, flags }, context): Promise<Answer> {
    const [path, folder] = [args[0]!, pathIn(context.cwd, args[1]!)];
    if (context.dryRun) return { data: { path, folder }, text: `would withdraw ${path}` };
    const report = await withdrawBundle(signingRequest(folder, flags.key, context), path, flags.role);
    return { data: report, text: `${path} is not listed any more; devices that run it go on` };
  },
});
