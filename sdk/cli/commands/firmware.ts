import { writeFirmware } from '../../app/firmware.ts';
import type { FirmwareReport } from '../../index.ts';
import { type Answer, defineCommand, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { formatBytes, table } from '../format.ts';
import { MODEL_FLAGS } from '../model-flags.ts';
import { pathIn, readText } from '../values.ts';

export const firmware = defineCommand({
  examples: [
    'eigenweights firmware keywords.ewb --target raspberry-pi-pico-2 -o keywords/',
    'eigenweights firmware model.onnx --target coral-dev-board-micro --name scorer -o scorer/',
  ],
  args: [{ name: 'FILE', help: 'a .ewb bundle, or a model (ONNX, TensorFlow.js) to be compiled as it is, in float' }],
  flags: {
    out: requiredFlag('FOLDER', 'where to write the C files', readText, 'o'),
    target: valueFlag('BOARD', 'board id or profile file; the board of the bundle by default', readText),
    name: valueFlag('NAME', 'what files and functions begin with; model by default', readText),
    force: switchFlag('write the files even when they do not fit the board'),
    ...MODEL_FLAGS,
  },
  next: 'cmake -S FOLDER -B build && cmake --build build, then run the example on the board',
  async run({ args, flags }, context): Promise<Answer> {
    const out = pathIn(context.cwd, flags.out);
    context.leaves(`${flags.out} was not written`);
    const report = await writeFirmware(
      { path: pathIn(context.cwd, args[0]!), dims: flags.dim, set: flags.set },
      {
        name: flags.name ?? 'model',
        force: flags.force,
        ...(flags.target === undefined ? {} : { target: flags.target }),
        ...(context.dryRun ? {} : { out }),
      },
      { progress: context.progress, signal: context.signal },
    );
    const done = context.dryRun ? 'would write' : 'wrote';
    const text = table([...rowsOf(report), [done, `${flags.out}: ${Object.keys(report.files).join(', ')}`]]);
    return { data: { ...report, out: context.dryRun ? null : out }, text };
  },
});

function rowsOf(r: FirmwareReport): string[][] {
  return [
    ['model', `${r.model}, ${r.precision}, for ${r.target}`],
    ['flash', `${formatBytes(r.weightBytes)} constants (exact) + at most ${formatBytes(r.codeBytes)} code (gcc -Os)`],
    [
      'ram',
      `${formatBytes(r.arenaBytes)} activations + ${formatBytes(r.scratchBytes)} working memory (exact) + at most ${formatBytes(r.stackBytes)} stack`,
    ],
  ];
}
