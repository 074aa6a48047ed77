/**
 * How fast a device gets a blob, over MQTT and over HTTP, on this machine's sockets and through a proxy that takes its time. The embedded
 * broker and its blob server are one process, the device another; what comes is verified, and not stored. Options: --mib N (of the
 * blob), --rounds N. The best round counts, all are printed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { parseArgs } from 'node:util';
import type { PieceSource } from '../sdk/device/agent/fetch.ts';
import { ChunkSource, HttpFolder, HttpSource } from '../sdk/device/link/index.ts';
import { TcpProxy } from '../sdk/testing/tcp-proxy.ts';
import { connectMqtt } from '../sdk/transport/index.ts';
import { systemClock } from '../sdk/util/clock.ts';
import { sha256 } from '../sdk/util/hash.ts';
import type { BlobSpec } from '../sdk/wire/blob.ts';

const MIB = 1 << 20;
/** Milliseconds, both directions together. */
const ROUND_TRIP = 50;

interface Told {
  readonly mqtt: number;
  readonly http: number;
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

interface Opened {
  readonly source: PieceSource;
  close(): Promise<void>;
}

async function overMqtt(port: number): Promise<Opened> {
  const options = { url: `mqtt://127.0.0.1:${port}`, clientId: 'device', username: 'device' };
  const transport = connectMqtt(options);
  await new Promise<void>((resolve) => {
    if (transport.connected) resolve();
    else transport.onState(() => resolve());
  });
  const parts = { transport, namespace: 'bench', device: 'device', clock: systemClock, random: Math.random };
  return { source: new ChunkSource(parts), close: () => transport.close() };
}

async function overHttp(port: number): Promise<Opened> {
  const folder = new HttpFolder({ url: `http://127.0.0.1:${port}` });
  return { source: new HttpSource(folder, systemClock), close: async () => folder.close() };
}

/** MiB a second of the first download of a connection. */
async function measure({ source, close }: Opened, spec: BlobSpec): Promise<number> {
  // A device has subscribed long before.
  for await (const _ of source.fetch(spec, [])) break;
  const from = performance.now();
  let bytes = 0;
  for await (const piece of source.fetch(spec, [...spec.pieces.keys()])) {
    if (sha256(piece.bytes) !== spec.pieces[piece.index]!.sha256) throw new Error(`piece ${piece.index} is wrong`);
    bytes += piece.bytes.length;
  }
  const seconds = (performance.now() - from) / 1000;
  await close();
  if (bytes !== spec.bytes) throw new Error(`${bytes} bytes came, not ${spec.bytes}`);
  return bytes / MIB / seconds;
}

const { values } = parseArgs({
  options: { mib: { type: 'string', default: '64' }, rounds: { type: 'string', default: '5' } },
});
const { child, told } = await startServer(Number(values.mib) * MIB);
const far = await Promise.all([told.mqtt, told.http].map((port) => TcpProxy.open(port, ROUND_TRIP / 2)));
try {
  const ways = [
    { name: 'MQTT, loopback', open: () => overMqtt(told.mqtt), rates: [] as number[] },
    { name: `MQTT, ${ROUND_TRIP} ms round trip`, open: () => overMqtt(far[0]!.port), rates: [] as number[] },
    { name: 'HTTP, loopback', open: () => overHttp(told.http), rates: [] as number[] },
    { name: `HTTP, ${ROUND_TRIP} ms round trip`, open: () => overHttp(far[1]!.port), rates: [] as number[] },
  ];
  for (let round = 0; round < Number(values.rounds); round++)
    for (const way of ways) way.rates.push(await measure(await way.open(), told.spec));
  console.log(`${values.mib} MiB, MiB/s`);
  for (const { name, rates } of ways)
    console.log(
      `${name.padEnd(24)} best ${Math.max(...rates)
        .toFixed(1)
        .padStart(6)}   all ${rates.map((r) => r.toFixed(1)).join(' ')}`,
    );
} finally {
  await Promise.all(far.map((proxy) => proxy.close()));
  child.kill('SIGINT');
}
