import { classification } from './classification.ts';
import { imagenetMobilenet } from './imagenet.ts';
import { languageModel } from './language.ts';
import { textLines } from './ocr.ts';
import { pitchCrepe } from './pitch.ts';
import type { QualityTask } from './task.ts';
import { vadSilero } from './vad.ts';

/** Every task with labelled data, small models first. */
export const TASKS: readonly QualityTask[] = [
  classification('kws_dscnn', 'kws_dscnn', { score: 0.8975, samples: 400 }),
  classification('cifar_resnet8', 'cifar_resnet8', { score: 0.888, samples: 500 }),
  classification('mnist_mlp', 'mnist_mlp', { score: 0.9319, samples: 1350 }),
  languageModel('lm_charrnn_darwin', 2000, { score: 5.5003, samples: 12 }),
  languageModel('lm_charrnn_shakespeare', 2000, { score: 5.4111, samples: 12 }),
  classification('cifar_resnet8_large', 'cifar_resnet8', { score: 0.914, samples: 500 }, { model: 'model_large.onnx' }),
  vadSilero,
  pitchCrepe,
  classification('fashion_mnist_mlp', 'fashion_mnist', { score: 0.9012, samples: 5000 }, { model: 'model_mlp.onnx' }),
  classification('fashion_mnist', 'fashion_mnist', { score: 0.9326, samples: 5000 }),
  languageModel('lm_gpt_shakespeare', 128, { score: 4.3568, samples: 783 }),
  imagenetMobilenet,
  textLines(320, 0),
  textLines(480, 320),
  textLines(640, 480),
];
