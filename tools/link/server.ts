/** The other end of `npm run bench:link`: the embedded broker, and a blob server that is its client. Tells its port and the blob. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { Aedes } from 'aedes';
import { bytesSource, describeBlob } from '../../sdk/bundle/index.ts';
import { BlobServer, type BlobSource } from '../../sdk/fleet/blobs/index.ts';
import { connectMqtt } from '../../sdk/transport/index.ts';

const bytes = randomBytes(Number(process.argv[2]));
const spec = await describeBlob(bytesSource(bytes));
const blobs: BlobSource = {
  spec: async () => spec,
  read: async (_, from, count) => bytes.subarray(from, from + count),
};

const aedes = await Aedes.createBroker();
const server = createServer({ noDelay: true }, (socket) => void aedes.handle(socket));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = server.address();
const port = typeof address === 'object' && address ? address.port : 0;
const transport = connectMqtt({ url: `mqtt://127.0.0.1:${port}`, clientId: 'server' });
const unlimited = { perSecond: 1e12, most: 1e12 };
await BlobServer.start({
  transport,
  namespace: 'bench',
  blobs,
  metadata: { read: async () => undefined },
  rates: { device: unlimited, total: unlimited },
});
await new Promise<void>((resolve) => {
  if (transport.connected) resolve();
  else transport.onState(() => resolve());
});
process.send?.({ port, spec });
