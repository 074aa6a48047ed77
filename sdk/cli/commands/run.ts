import { ENGINES, openSession } from '../../app/session.ts';
import { readArrays, writeArrays } from '../../data/arrays.ts';
import { OutputCollector, samplesOf } from '../../data/samples.ts';
import type { Received, SelfTest } from '../../index.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, type Context, defineCommand, switchFlag, valueFlag } from '../command.ts';
import { formatBytes, formatPercent, formatSeconds, table } from '../format.ts';
import { outputIn, readOutput } from '../outputs.ts';
import { pathIn, readBytes, readChoice, readCount, readText } from '../values.ts';

export const run = defineCommand({
  examples: [
    'eigenweights run model.ewb --input in.npz --output out.npz',
    'eigenweights run model.ewb --self-test',
    'eigenweights run model.ewb --input in.npz --threads 2',
    'eigenweights run model.ewb --input in.npz --quality-at 150kB',
  ],
  args: [{ name: 'BUNDLE', help: 'a .ewb file' }],
  flags: {
    input: valueFlag('FILE', '.npz with one array per model input, first axis = samples', readText),
    output: valueFlag('FILE', 'where the outputs go, .npz with one array per model output', readOutput('.npz'), 'o'),
    engine: valueFlag(
      'ENGINE',
      `${ENGINES.join(', ')}; the fastest kernels that are right here by default`,
      readChoice(ENGINES),
    ),
    threads: valueFlag('N', 'threads; 1 by default, the outputs do not depend on it', readCount),
    'quality-at': valueFlag('SIZE', 'run from the first SIZE bytes of the bundle: a prefix is a model too', readBytes),
    'self-test': switchFlag('run the golden inputs in the bundle and compare the hashes of the outputs'),
  },
  next: 'eigenweights bench BUNDLE --against MODEL',
  async run({ args, flags }, context): Promise<Answer> {
    if (!flags['self-test'] && flags.input === undefined) {
      throw new EigenError('EW1001_USAGE', 'run: --input FILE is missing', {
        hint: 'give samples with --input, or use --self-test',
      });
    }
    const { input, output } = flags;
    const out = output === undefined ? undefined : await outputIn(context, output, [args[0], input]);
    const session = await openSession(pathIn(context.cwd, args[0]!), {
      engine: flags.engine,
      threads: flags.threads,
      firstBytes: flags['quality-at'],
    });
    const { received } = session.bundle;
    try {
      const proof = flags['self-test'] ? await session.selfTest() : undefined;
      const done =
        input === undefined ? undefined : await runSamples(session, input, context.dryRun ? undefined : out, context);
      const written = done && !context.dryRun ? output : undefined;
      const rows = [
        [
          'engine',
          `${session.engine}, ${session.threads} threads, ${formatBytes(session.modelBytes)} for weights and activations`,
        ],
      ];
      if (session.note) rows.push(['note', session.note]);
      if (received) rows.push(['weights', receivedText(received)]);
      if (proof) rows.push(['self-test', proofText(proof)]);
      if (done) rows.push(['samples', `${done.samples}, ${formatSeconds(done.secondsPerSample)} each (measured)`]);
      if (written) rows.push(['wrote', written]);
      const data = {
        engine: session.engine,
        ...(session.note ? { note: session.note } : {}),
        threads: session.threads,
        modelBytes: session.modelBytes,
        ...(received ? { received: { ...received, share: received.weightBytes / received.weightBytesInAll } } : {}),
        ...(proof ? { selfTest: proof } : {}),
        ...done,
        ...(written ? { output: written } : {}),
      };
      return { data, text: table(rows) };
    } finally {
      session.close();
    }
  },
});

function receivedText(r: Received): string {
  const share = formatPercent(r.weightBytes / r.weightBytesInAll);
  return `${formatBytes(r.weightBytes)} of ${formatBytes(r.weightBytesInAll)}, ${share}: ${r.segments} of ${r.segmentsInAll} segments`;
}

function proofText(proof: SelfTest): string {
  const golden = `${proof.cases} golden inputs`;
  if (proof.comparison === 'none')
    return `${golden} ran, compared with nothing: the bundle only knows the outputs of all of its weights`;
  if (proof.comparison === 'hashes') return `${golden}, all output hashes equal`;
  return `${golden}, compared with kernels that give the hashes of the bundle: largest difference ${proof.largestError.toExponential(1)} of the largest magnitude, allowed ${proof.allowedError}`;
}

type Session = Awaited<ReturnType<typeof openSession>>;

async function runSamples(session: Session, input: string, out: string | undefined, context: Context) {
  const samples = samplesOf(await readArrays(pathIn(context.cwd, input)), session.inputs, {
    fixed: session.fixed,
    // Evaluation data is run as it is.
    extra: ['labels', 'targets'],
    source: input,
  });
  const collected = new OutputCollector(samples.count);
  let seconds = 0;
  for (let i = 0; i < samples.count; i++) {
    context.signal.throwIfAborted();
    const inputs = samples.at(i);
    const start = performance.now();
    const outputs = await session.run(inputs);
    seconds += (performance.now() - start) / 1000;
    collected.add(i, outputs);
    context.progress({ stage: 'run', done: i + 1, total: samples.count });
    // Lets Ctrl-C be heard: a run is synchronous work.
    if (i % 16 === 15) await new Promise((resume) => setImmediate(resume));
  }
  const outputs = collected.result();
  const shapes = Object.fromEntries(
    Object.entries(outputs).map(([name, t]) => [name, { dtype: t.dtype, shape: t.shape }]),
  );
  if (out !== undefined) await writeArrays(out, outputs);
  return {
    samples: samples.count,
    secondsPerSample: seconds / samples.count,
    outputs: shapes,
  };
}
