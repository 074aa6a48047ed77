/** The other end of `npm run bench:link`: the embedded broker with its blob server, and the blobs over HTTP. Tells ports and blob. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { bytesSource, describeBlob } from '../../sdk/bundle/index.ts';
import { BlobServer, type BlobSource, blobHandler } from '../../sdk/fleet/blobs/index.ts';
import { Broker } from '../../sdk/fleet/broker/broker.ts';

const bytes = randomBytes(Number(process.argv[2]));
const spec = await describeBlob(bytesSource(bytes));
const blobs: BlobSource = {
  spec: async () => spec,
  read: async (_, from, count) => bytes.subarray(from, from + count),
};
const metadata = { read: async () => undefined };

const broker = await Broker.open({
  host: '127.0.0.1',
  port: 0,
  namespace: 'bench',
  login: async ({ username }) => username,
  onRefused: (what, why) => console.error(what, why),
});
const unlimited = { perSecond: 1e12, most: 1e12 };
const rates = { device: unlimited, total: unlimited };
await BlobServer.start({ transport: broker.transport, namespace: 'bench', blobs, metadata, rates });

const handle = blobHandler(blobs, metadata);
const http = createServer((request, response) => void handle(request, response));
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
const address = http.address();
process.on('SIGINT', () => process.exit());
process.send?.({ mqtt: broker.port, http: typeof address === 'object' && address ? address.port : 0, spec });
