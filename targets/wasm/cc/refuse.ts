import { EigenError } from '../../../sdk/util/errors.ts';

/** What the compiler says about C that it does not take, which an emitter should not have written. Lines count from 1. */
export function refused(line: number, what: string): EigenError {
  return new EigenError('EW5002_COMPILER_FAILED', `the kernel compiler failed: line ${line}: ${what}`, {
    hint: 'This is a defect of the generated code; set EIGEN_DEBUG=1 and report it with the model.',
  });
}
