/** Helpers for tests of software that builds on EigenWeights: fakes for its interfaces, named skips. */
export { type SkipKind, skip } from './skip.ts';
