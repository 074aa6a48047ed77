import { classification } from './classification.ts';
import { imagenetMobilenet } from './imagenet.ts';
import { languageModel } from './language.ts';
import { textLines } from './ocr.ts';
import { pitchCrepe } from './pitch.ts';
import type { QualityTask } from './task.ts';

/** Every task with labelled data, small models first. */
export const TASKS: readonly QualityTask[] = [
  classification('kws_dscnn', 'kws_dscnn', 0.8975),
  classification('cifar_resnet8', 'cifar_resnet8', 0.888),
  classification('mnist_mlp', 'mnist_mlp', 0.9319),
  languageModel('lm_charrnn_darwin', 2000, 5.5003),
  languageModel('lm_charrnn_shakespeare', 2000, 5.4111),
  classification('cifar_resnet8_large', 'cifar_resnet8', 0.914, { model: 'model_large.onnx' }),
  pitchCrepe,
  classification('fashion_mnist_mlp', 'fashion_mnist', 0.9012, { model: 'model_mlp.onnx' }),
  classification('fashion_mnist', 'fashion_mnist', 0.9326),
  languageModel('lm_gpt_shakespeare', 128, 4.3568),
  imagenetMobilenet,
  textLines(320, 0),
  textLines(480, 320),
  textLines(640, 480),
];
