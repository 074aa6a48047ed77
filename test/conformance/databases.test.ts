import { test } from 'uvu';
import { checkDatabase } from '../support/fleet/database-suite.ts';
import { databaseKinds } from '../support/fleet/databases.ts';

for (const kind of databaseKinds()) test(`${kind.name} does what databases do`, () => checkDatabase(kind));

test.run();
