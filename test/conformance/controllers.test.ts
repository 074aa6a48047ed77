// timeout: 120
import { test } from 'uvu';
import { openEmbedded } from '../../sdk/fleet/database/index.ts';
import { AedesBroker } from '../support/aedes-broker.ts';
import { checkControllers } from '../support/fleet/controller-suite.ts';

test('controllers and devices on the embedded broker and PGlite', async () => {
  const broker = await AedesBroker.open();
  const database = await openEmbedded();
  try {
    await checkControllers({ scheme: 'mqtt', port: broker.port, login: async () => ({}) }, database, 'a');
  } finally {
    await database.close();
    await broker.close();
  }
});

test.run();
