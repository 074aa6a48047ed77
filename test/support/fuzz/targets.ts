import { BUNDLE_TARGETS } from './bundle-targets.ts';
import { STORE_TARGETS } from './store-targets.ts';
import type { FuzzTarget } from './target.ts';
import { TRUST_TARGETS } from './trust-targets.ts';
import { WIRE_TARGETS } from './wire-targets.ts';

/** Everything that reads bytes from outside. */
export const FUZZ_TARGETS: readonly FuzzTarget[] = [
  ...WIRE_TARGETS,
  ...BUNDLE_TARGETS,
  ...STORE_TARGETS,
  ...TRUST_TARGETS,
];
