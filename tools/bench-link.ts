/**
 * How fast a device gets a blob over MQTT: the embedded broker, a blob server that is its client, and a device, over real sockets. The
 * broker and the server share a process, the device has one of its own. Options: --mib N (of the blob), --rounds N.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import { ChunkSource } from '../sdk/device/link/index.ts';
import { TcpProxy } from '../sdk/testing/tcp-proxy.ts';
import { connectMqtt, type Transport } from '../sdk/transport/index.ts';
import { systemClock } from '../sdk/util/clock.ts';
import type { BlobSpec } from '../sdk/wire/blob.ts';

const MIB = 1 << 20;
/** Where both directions take 25 ms. */
const ROUND_TRIP = 50;

interface Told {
  readonly port: number;
  readonly spec: BlobSpec;
}

async function startServer(bytes: number): Promise<{ readonly child: ChildProcess; readonly told: Told }> {
  const child = fork(new URL('./link/server.ts', import.meta.url), [String(bytes)], { execArgv: ['--import', 'tsx'] });
  const told = await new Promise<Told>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Told));
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
  });
  return { child, told };
}

async function connected(port: number): Promise<Transport> {
  const transport = connectMqtt({ url: `mqtt://127.0.0.1:${port}`, clientId: `device-${port}` });
  await new Promise<void>((resolve) => {
    if (transport.connected) resolve();
    else transport.onState(() => resolve());
  });
  return transport;
}

/** MiB a second of one download, the first one of a connection. */
async function measure(port: number, spec: BlobSpec): Promise<number> {
  const transport = await connected(port);
  const source = new ChunkSource({
    transport,
    namespace: 'bench',
    device: 'd',
    clock: systemClock,
    random: Math.random,
  });
  const indices = spec.pieces.map((_, i) => i);
  // A device subscribes once, long before.
  await source.fetch(spec, [])[Symbol.asyncIterator]().next();
  const from = performance.now();
  let bytes = 0;
  for await (const piece of source.fetch(spec, indices)) bytes += piece.bytes.length;
  const seconds = (performance.now() - from) / 1000;
  await transport.close();
  if (bytes !== spec.bytes) throw new Error(`${bytes} bytes came, not ${spec.bytes}`);
  return bytes / MIB / seconds;
}

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '16' }, rounds: { type: 'string', default: '5' } },
});
const { child, told } = await startServer(Number(values.mib) * MIB);
const proxy = await TcpProxy.open(told.port, ROUND_TRIP / 2);
try {
  const ways = [
    { name: 'loopback', port: told.port, rates: [] as number[] },
    { name: `${ROUND_TRIP} ms round trip`, port: proxy.port, rates: [] as number[] },
  ];
  for (let round = 0; round < Number(values.rounds); round++)
    for (const way of ways) way.rates.push(await measure(way.port, told.spec));
  for (const { name, rates } of ways)
    console.log(
      `${name.padEnd(18)} best ${Math.max(...rates).toFixed(1)} MiB/s   all ${rates.map((r) => r.toFixed(1)).join(' ')}`,
    );
} finally {
  await proxy.close();
  child.kill();
}
