import { EigenError, isEigenError } from '../../util/errors.ts';
import type { Attack } from '../../wire/attacks.ts';

/** The error for metadata that is not to be trusted; `file` names it in the message. */
export function refused(attack: Attack, file: string, what: string): EigenError {
  return new EigenError('EW7006_METADATA_REFUSED', `${file}: ${what}`, {
    hint: 'What was installed and assigned before still counts. Look at what the controller, and whatever is on the way, send.',
    details: { attack, file },
  });
}

export function isRefusal(e: unknown): e is EigenError {
  return isEigenError(e) && e.code === 'EW7006_METADATA_REFUSED';
}
