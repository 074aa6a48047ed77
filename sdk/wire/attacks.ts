/**
 * What a refusal amounts to when it is no accident, in the words of TUF and Uptane: `details.attack` of the error, and `attack` of the
 * report that a device sends.
 */
export type Attack =
  /** Something that too few of the right keys have signed, or that no role lists. */
  | 'arbitrary-installation'
  /** More bytes than anything of its kind has. */
  | 'endless-data'
  /** More than the one bundle that an assignment is of. */
  | 'extraneous-dependencies'
  /** A number so far ahead that nothing could follow it. */
  | 'fast-forward'
  /** Something that has expired, in place of what is newer. */
  | 'freeze'
  | 'malformed-metadata'
  /** Parts that were never together. */
  | 'mix-and-match'
  /** A name that leads out of its folder. */
  | 'path-traversal'
  /** Something older than what was seen before. */
  | 'rollback'
  /** Hardly anything, so that it never ends. */
  | 'slow-retrieval'
  /** A signed time that cannot be. */
  | 'time-jump'
  /** Something that is listed is not to be had. */
  | 'withheld'
  /** What is meant for another device. */
  | 'wrong-device'
  /** What is meant for other hardware. */
  | 'wrong-hardware';
