/** Helpers for tests of software that builds on EigenWeights: fakes for its interfaces, named skips. */

export { type InjectedFailure, MemoryFileSystem } from './memory-fs.ts';
export { type SkipKind, skip } from './skip.ts';
