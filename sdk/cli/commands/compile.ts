import { buildFloat } from '../../app/build.ts';
import { type Answer, defineCommand, requiredFlag, switchFlag } from '../command.ts';
import { formatBytes, table } from '../format.ts';
import { KERNEL_FLAGS } from '../kernel-flags.ts';
import { kernelsText } from '../kernels-text.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readText } from '../values.ts';

export const compile = defineCommand({
  examples: [
    'eigenweights compile model.onnx --target raspberry-pi-5 -o model.ewb',
    'eigenweights compile text.onnx --target host --dim width=320 -o text.ewb',
  ],
  args: [{ name: 'MODEL', help: 'an ONNX file, or the model.json of a TensorFlow.js model or its folder' }],
  flags: {
    target: requiredFlag('BOARD', 'board id or profile file', readText),
    out: requiredFlag('FILE', 'the bundle to write, .ewb', readOutput('.ewb'), 'o'),
    force: switchFlag('write the bundle even when it does not fit the board'),
    ...KERNEL_FLAGS,
    ...MODEL_FLAGS,
  },
  next: 'eigenweights run OUT.ewb --input FILE --output FILE',
  async run({ args, flags }, context): Promise<Answer> {
    const out = await outputIn(context, flags.out, [args[0]]);
    context.leaves(`${flags.out} was not written`);
    const built = await buildFloat(
      { path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set },
      {
        target: flags.target,
        force: flags.force,
        how: { tune: flags.tune, kernels: flags.kernels },
        ...(context.dryRun ? {} : { out }),
      },
      { progress: context.progress, signal: context.signal, toolchain: flags.toolchain },
    );
    const { program } = built;
    const rows = [
      ['model', `${formatBytes(built.originalBytes)} of fp32 weights, ${program.steps} steps`],
      [
        'resident',
        `${formatBytes(program.weightBytes)} weights + ${formatBytes(program.arenaBytes)} activations (exact)`,
      ],
      ['kernels', kernelsText(built.native)],
      [context.dryRun ? 'would write' : 'wrote', `${flags.out}, ${formatBytes(built.bundleBytes)}`],
    ];
    return { data: { ...built, out: context.dryRun ? null : out }, text: table(rows) };
  },
});
