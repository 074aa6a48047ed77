import { test } from 'uvu';
import { databaseKinds } from '../support/fleet/databases.ts';
import { checkRollouts } from '../support/fleet/rollout-suite.ts';

for (const kind of databaseKinds()) test(`rollouts on ${kind.name}`, () => checkRollouts(kind));

test.run();
