import { test } from 'uvu';
import { databaseKinds } from '../support/fleet/databases.ts';
import { checkFleet } from '../support/fleet/fleet-suite.ts';

for (const kind of databaseKinds()) test(`registry, decisions and leases on ${kind.name}`, () => checkFleet(kind));

test.run();
