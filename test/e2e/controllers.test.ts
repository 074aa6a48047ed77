// timeout: 900
/** Controllers and devices on PostgreSQL and every broker, with rules for who may what; the embedded broker on PGlite is in test/conformance. */
import { test } from 'uvu';
import { skip } from '../../sdk/testing/skip.ts';
import { AedesBroker } from '../support/aedes-broker.ts';
import { BROKERS } from '../support/broker-process.ts';
import { type ControllerBroker, checkControllers, deviceNames, NAMESPACE } from '../support/fleet/controller-suite.ts';
import { serverKind } from '../support/fleet/databases.ts';
import { startPostgres } from '../support/fleet/postgres-server.ts';
import { checkRules, RULED } from '../support/fleet/rules-suite.ts';
import { GuardedBroker } from '../support/guarded-broker.ts';

const server = await startPostgres();
test.after(() => server?.stop());

async function onPostgres(name: string, broker: ControllerBroker): Promise<void> {
  if (!server) return skip(name, 'no /usr/lib/postgresql: apt install postgresql');
  const database = await serverKind(server.url).open();
  try {
    await checkControllers(broker, database, 'a');
  } finally {
    await database.close();
  }
}

test('controllers and devices on the embedded broker and PostgreSQL', async () => {
  const broker = await AedesBroker.open();
  try {
    await onPostgres('aedes', { scheme: 'mqtt', port: broker.port, login: async () => ({}) });
  } finally {
    await broker.close();
  }
});

for (const kind of BROKERS) {
  const users = { namespace: NAMESPACE, devices: [...RULED, ...deviceNames('a')] };
  const broker = await GuardedBroker.start(kind, users);
  if (broker) {
    test.after(() => broker.stop());
    test(`${kind.name}: a device has its own topics only`, () => checkRules(broker));
    test(`controllers and devices on ${kind.name} and PostgreSQL`, () => onPostgres(kind.name, broker));
  } else test(kind.name, () => skip(kind.name, `${kind.name} is not installed`));
}

test.run();
