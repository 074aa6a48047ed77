import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { keepTelling, type Supervisor, systemdSupervisor } from '../../../../sdk/device/service/supervision.ts';

test('systemd is found by its environment', () => {
  assert.is(systemdSupervisor({}), undefined);
  assert.is(systemdSupervisor({ NOTIFY_SOCKET: '/run/notify' })!.everyMilliseconds, undefined);
  assert.is(systemdSupervisor({ NOTIFY_SOCKET: '/run/notify', WATCHDOG_USEC: '60000000' })!.everyMilliseconds, 20_000);
});

test('ready, then signs of life, then the end', async () => {
  const told: string[] = [];
  let thrice = (): void => undefined;
  const supervisor: Supervisor = {
    everyMilliseconds: 1,
    tell: (state) => {
      if (told.push(state) === 4) thrice();
    },
  };
  const lively = new Promise<void>((resolve) => {
    thrice = resolve;
  });
  const end = keepTelling(supervisor);
  await lively;
  end();
  assert.equal(told, ['ready', 'alive', 'alive', 'alive', 'stopping']);
});

test.run();
