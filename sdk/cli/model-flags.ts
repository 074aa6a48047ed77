import { repeatFlag } from './command.ts';
import { readDims, readSettings } from './values.ts';

/** Flags of every command that reads a model file. */
export const MODEL_FLAGS = {
  dim: repeatFlag('NAME=SIZE', 'size of a dynamic dimension of an input; the batch is 1 by default', readDims),
  set: repeatFlag(
    'INPUT=VALUE',
    'fix an input to a constant, e.g. sr=16000; it is no input of the bundle then',
    readSettings,
  ),
};
