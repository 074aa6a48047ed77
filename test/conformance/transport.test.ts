import { test } from 'uvu';
import { MemoryBroker, type MemoryTransport } from '../../sdk/testing/memory-broker.ts';
import { connectMqtt } from '../../sdk/transport/mqtt.ts';
import { systemClock } from '../../sdk/util/clock.ts';
import { AedesBroker } from '../support/aedes-broker.ts';
import { transportCases } from '../support/transport-cases.ts';

transportCases(test, 'memory', {
  open: async () => {
    const broker = new MemoryBroker(systemClock, { latency: 1 });
    const all: MemoryTransport[] = [];
    return {
      connect: (client, will) => {
        all.push(broker.connect(client, will));
        return all.at(-1)!;
      },
      cut: () => all.forEach((t) => void t.cut(5)),
      close: async () => undefined,
    };
  },
});

for (const version of [4, 5] as const)
  transportCases(test, `MQTT over the embedded broker, asked for in version ${version}`, {
    open: async () => {
      const broker = await AedesBroker.open();
      return {
        connect: (clientId, will) =>
          connectMqtt({ url: broker.url, clientId, version, random: () => 0.01, ...(will ? { will } : {}) }),
        cut: () => broker.cut(),
        close: () => broker.close(),
      };
    },
  });

test.run();
