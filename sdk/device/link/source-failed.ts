import { EigenError } from '../../util/errors.ts';
import type { Attack } from '../../wire/attacks.ts';

/** The error of a source of blobs or metadata that does not deliver; `attack` is what it amounts to where it is no accident. */
export function sourceFailed(what: string, attack?: Attack): EigenError {
  return new EigenError('EW7104_SOURCE_FAILED', `source: ${what}`, {
    hint: 'What has come is kept, and other sources are tried. Check what the server has, and how fast it is.',
    ...(attack ? { details: { attack } } : {}),
  });
}
