import type { Message } from '../../../sdk/wire/protocol/messages.ts';
import { birth } from './messages.ts';
import { type TestController, TestDevice } from './running.ts';

/** A device in the lab that has enrolled and said what it is. */
export async function enrolled(controller: TestController, name: string): Promise<TestDevice> {
  const device = new TestDevice(controller.running.brokerUrl, name, await controller.enrol(name, { site: 'lab' }));
  await device.connect();
  await device.presence(1, true);
  await device.say(birth(name, 1).message as Message<'up'>);
  return device;
}

/** Says that everything it is told went well. */
export function obey(device: TestDevice): void {
  let seq = 0;
  device.transport.onMessage(() => {
    const { rev, target } = device.heard.at(-1)!;
    void device.say({ type: 'report', epoch: 1, seq: seq++, rev, outcome: 'committed', running: target, received: 0 });
  });
}
