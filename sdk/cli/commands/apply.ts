import { applyDeltaFile } from '../../app/delta.ts';
import { type Answer, defineCommand, requiredFlag, valueFlag } from '../command.ts';
import { formatBytes } from '../format.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readText } from '../values.ts';

export const apply = defineCommand({
  examples: ['eigenweights apply model-1.ewb update.ewd -o model-2.ewb'],
  args: [
    { name: 'OLD', help: 'the .ewb file that the delta was made from' },
    { name: 'DELTA', help: 'a .ewd file' },
  ],
  flags: {
    out: requiredFlag('FILE', 'the bundle to write, .ewb', readOutput('.ewb'), 'o'),
    digest: valueFlag('SHA256', 'refuse any other bundle than the one with this digest', readText),
  },
  next: 'eigenweights run model-2.ewb --self-test',
  async run({ args, flags }, context): Promise<Answer> {
    const [old, deltaPath] = [pathIn(context.cwd, args[0]!), pathIn(context.cwd, args[1]!)];
    // The old bundle may be written over: the new one takes its name when it is whole.
    const out = await outputIn(context, flags.out, [args[1]]);
    context.leaves(`${flags.out} was not written`);
    const { digest } = flags;
    const result = await applyDeltaFile(old, deltaPath, {
      ...(context.dryRun ? {} : { out }),
      ...(digest === undefined ? {} : { digest }),
    });
    const done = context.dryRun ? 'would write' : 'wrote';
    const text = `${done} ${flags.out}, ${formatBytes(result.bytes)}, from a delta of ${formatBytes(result.deltaBytes)}\nbundle ${result.digest}`;
    return { data: { ...result, out: context.dryRun ? null : out }, text };
  },
});
