import type { Bundle } from '../bundle/index.ts';
import { readArrays } from '../data/arrays.ts';
import { OutputCollector, type SampleArrays, type Samples, samplesOf } from '../data/samples.ts';
import { valueNamed } from '../ir/graph.ts';
import type { Comparison, Judge } from '../measure/metrics/index.ts';
import { engineRunner, type Model, type Work } from '../pipeline.ts';
import { loadSession } from './session.ts';

/** Samples of a .npz file as inputs of a model; arrays of inputs that were fixed may be there. Throws EW1002, EW3201, EW3202. */
export async function readSamples(model: Model, path: string): Promise<Samples> {
  return samplesFor(model, await readArrays(path), path);
}

function samplesFor(model: Model, arrays: SampleArrays, source: string, extra?: 'any'): Samples {
  const inputs = model.graph.inputs.map((name) => ({ name, ...valueNamed(model.graph, name).type }));
  return samplesOf(arrays, inputs, { fixed: model.request.set ?? {}, source, ...(extra ? { extra } : {}) });
}

/** Looks whether evaluation data fits the model and the metric, before the work that it is to judge. Throws what evaluateBoth does. */
export async function checkEvaluation(model: Model, path: string, judge: Judge): Promise<void> {
  const arrays = await readArrays(path);
  samplesFor(model, arrays, path, 'any');
  judge.check(arrays);
}

/** Runs the original (float, same engine) and the bundle on evaluation data and lets a metric compare them. */
export async function evaluateBoth(
  model: Model,
  bundle: Bundle,
  path: string,
  judge: Judge,
  work: Work,
): Promise<Comparison> {
  const arrays = await readArrays(path);
  const samples = samplesFor(model, arrays, path, 'any');
  const coded = samplesOf(arrays, bundle.manifest.program.inputs, {
    fixed: model.request.set ?? {},
    source: path,
    extra: 'any',
  });
  const original = await engineRunner(work).open(model.graph);
  const compressed = await loadSession(bundle, work.threads ? { threads: work.threads } : {});
  const [theirs, ours] = [new OutputCollector(samples.count), new OutputCollector(samples.count)];
  try {
    for (let i = 0; i < samples.count; i++) {
      work.signal?.throwIfAborted();
      theirs.add(i, await original.run(samples.at(i)));
      ours.add(i, await compressed.run(coded.at(i)));
      work.progress?.({ stage: 'evaluate', done: i + 1, total: samples.count });
      // Lets an interruption be heard between runs, which are synchronous.
      if (i % 16 === 15) await new Promise((resume) => setImmediate(resume));
    }
  } finally {
    original.close();
    compressed.close();
  }
  return judge.compare({ ours: ours.result(), original: theirs.result(), arrays });
}
