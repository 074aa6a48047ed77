import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { exportBundle, type Oracle, openOracle, openSession } from '../../sdk/index.ts';
import { compareOn } from './compare.ts';
import type { ExportedFile, ExportStep } from './results.ts';
import type { Setting } from './steps.ts';
import type { Forward } from './task.ts';

/** Standard operators, and the packed ones of com.microsoft. */
const FORMS = ['qdq', 'nbits'] as const;

/** The compressed bundle as ONNX files in onnxruntime-web, against the kernels in the bundle, on the labelled samples. */
export async function exportStep(s: Setting): Promise<ExportStep> {
  const { task, folder } = s;
  const bundle = join(folder, 'ours.ewb');
  const files: Pick<ExportedFile, 'form' | 'bytes' | 'gzippedBytes'>[] = [];
  const oracles: Oracle[] = [];
  const ours = await openSession(bundle);
  try {
    let originalBytes = 0;
    for (const form of FORMS) {
      const out = join(folder, `ours.${form}.onnx`);
      const written = await exportBundle(bundle, { matmul: form, out });
      originalBytes = written.originalBytes;
      const bytes = await readFile(out);
      files.push({ form, bytes: bytes.length, gzippedBytes: gzipSync(bytes).length });
      oracles.push(await openOracle('onnxruntime-web', bytes));
    }
    const result = await compareOn(
      task,
      await task.evaluation(s.models),
      (inputs) => ours.run(inputs),
      oracles.map(
        (oracle): Forward =>
          (inputs) =>
            oracle.run(inputs),
      ),
      s.limit,
      (done, total) => s.progress({ stage: 'export', done, total }),
    );
    return {
      task: task.id,
      metric: task.metric,
      samples: result.samples,
      bundle: result.original,
      originalBytes,
      forms: files.map((file, i) => ({ ...file, judgement: result.models[i]! })),
    };
  } finally {
    ours.close();
    for (const oracle of oracles) await oracle.close();
  }
}
