import { writeDelta } from '../../app/delta.ts';
import type { DeltaFileReport } from '../../index.ts';
import { type Answer, defineCommand, requiredFlag } from '../command.ts';
import { formatBytes, formatPercent, table } from '../format.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn } from '../values.ts';

export const delta = defineCommand({
  examples: ['eigenweights delta model-1.ewb model-2.ewb -o update.ewd'],
  args: [
    { name: 'OLD', help: 'the .ewb file that devices have' },
    { name: 'NEW', help: 'the .ewb file that they shall get' },
  ],
  flags: { out: requiredFlag('FILE', 'the delta to write, .ewd', readOutput('.ewd'), 'o') },
  next: 'eigenweights apply model-1.ewb update.ewd -o model-2.ewb',
  async run({ args, flags }, context): Promise<Answer> {
    const [old, now] = [pathIn(context.cwd, args[0]!), pathIn(context.cwd, args[1]!)];
    const out = await outputIn(context, flags.out, args);
    context.leaves(`${flags.out} was not written`);
    const report = await writeDelta(old, now, context.dryRun ? undefined : out);
    const done = context.dryRun ? 'would write' : 'wrote';
    const text = `${textOf(report)}\n${done} ${flags.out}, ${formatBytes(report.bytes)}`;
    return { data: { ...report, out: context.dryRun ? null : out }, text };
  },
});

function textOf(r: DeltaFileReport): string {
  const rows = [...r.parts, ...r.constants.map((c) => ({ ...c, name: `  ${c.name}` }))].map(
    ({ name, op, bytes, of }) => [name, op, formatBytes(bytes), `of ${formatBytes(of)}`],
  );
  const share = formatPercent(r.bytes / r.newBytes);
  return [
    `${formatBytes(r.bytes)}, ${share} of the new bundle; ${formatBytes(r.chunkBytes)} by its new chunks alone`,
    `from ${r.base}`,
    `to   ${r.digest}`,
    table([['manifest', 'patch', formatBytes(r.manifestBytes), ''], ...rows], [2]),
  ].join('\n');
}
