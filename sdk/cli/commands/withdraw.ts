import { withdrawBundle } from '../../app/publish.ts';
import { type Answer, defineCommand } from '../command.ts';
import { PUBLISH_FLAGS, publishingPlace, WHERE } from '../publish-flags.ts';

export const withdraw = defineCommand({
  examples: ['eigenweights withdraw kws/raspberry-pi-5/kws-2.ewb fleet --key /media/stick'],
  args: [{ name: 'PATH', help: 'FAMILY/BOARD/NAME, as it is listed' }, WHERE],
  flags: PUBLISH_FLAGS,
  async run({ args, flags }, context): Promise<Answer> {
    const [path, where] = [args[0]!, args[1]!];
    if (context.dryRun) return { data: { path, where }, text: `would withdraw ${path}` };
    const report = await withdrawBundle(await publishingPlace(where, flags, context), path, flags.role);
    return { data: report, text: `${path} is not listed any more; devices that run it go on` };
  },
});
