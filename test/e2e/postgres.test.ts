// timeout: 240
import { test } from 'uvu';
import { skip } from '../../sdk/testing/skip.ts';
import { checkDatabase } from '../support/fleet/database-suite.ts';
import { serverKind } from '../support/fleet/databases.ts';
import { checkFleet } from '../support/fleet/fleet-suite.ts';
import { startPostgres } from '../support/fleet/postgres-server.ts';
import { checkRollouts } from '../support/fleet/rollout-suite.ts';

test('a PostgreSQL server does what databases do, and what the fleet needs of them', async () => {
  const server = await startPostgres();
  if (!server) return skip('PostgreSQL', 'no /usr/lib/postgresql: apt install postgresql');
  try {
    await checkDatabase(serverKind(server.url));
    await checkFleet(serverKind(server.url));
    await checkRollouts(serverKind(server.url));
  } finally {
    await server.stop();
  }
});

test.run();
