/**
 * A fleet on one machine: the controller with its embedded broker and PGlite in one process, devices with the real agent, link and store over
 * real sockets in another. Prints how long it takes until all are there, until all have a bundle, until all have the next one by a delta, and
 * until all are back after their connections were cut; processor time of controller and devices, and the memory of the controller. Assignments
 * are given to the devices, not fetched and verified. Option: --devices N.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bytesSource, describeBlob } from '../sdk/bundle/index.ts';
import { hashOfSecret } from '../sdk/fleet/access/secrets.ts';
import { BlobFolder } from '../sdk/fleet/blobs/index.ts';
import { openEmbedded } from '../sdk/fleet/database/index.ts';
import { FleetClient } from '../sdk/index.ts';
import type { Assignment } from '../sdk/wire/assignment.ts';
import { shardOf } from '../sdk/wire/protocol/topics.ts';
import { benchBundles } from './fleet/bundles.ts';
import { BOARD } from './fleet/device.ts';
import type { Order } from './fleet/simulator.ts';

const MIB = 2 ** 20;
const NAMESPACE = 'bench';
const YEAR = 365 * 86_400_000;

const { values } = parseArgs({ options: { devices: { type: 'string', default: '1000' } } });
const names = Array.from({ length: Number(values.devices) }, (_, i) => `d${i}`);

/** Devices that have enrolled, as the controller would have written them one by one. */
async function enrolAll(folder: string): Promise<void> {
  const database = await openEmbedded(join(folder, 'database'));
  const rows = JSON.stringify(names.map((name) => ({ name, shard: shardOf(name), hash: hashOfSecret(`pw-${name}`) })));
  const from = `from jsonb_to_recordset($1::jsonb) as d(name text, shard text, hash text)`;
  await database.query(`insert into devices (name, shard, first_seen, last_seen) select name, shard, 0, 0 ${from}`, [
    rows,
  ]);
  await database.query(
    `insert into credentials (device, kind, hash, created) select name, 'password', hash, 0 ${from}`,
    [rows],
  );
  await database.close();
}

async function assignmentOf(
  bytes: Uint8Array,
  release: number,
  delta?: { from: string; bytes: Uint8Array },
): Promise<Assignment> {
  const blob = await describeBlob(bytesSource(bytes));
  const deltas = delta ? { deltas: [{ from: delta.from, blob: await describeBlob(bytesSource(delta.bytes)) }] } : {};
  const limits = { limits: {}, shadowInputs: 0, probation: { milliseconds: 0 } };
  return { release, expires: Date.now() + YEAR, board: BOARD, blob, ...deltas, ...limits };
}

function child(file: string, args: readonly string[] = []): ChildProcess {
  return fork(new URL(file, import.meta.url), args, {
    execArgv: ['--import', 'tsx'],
  });
}

function order(simulator: ChildProcess, what: Order): Promise<{ connected: number; rss: number }> {
  return new Promise((resolve) => {
    simulator.once('message', (answer) => resolve(answer as { connected: number; rss: number }));
    simulator.send(what);
  });
}

interface Overview {
  readonly online: number;
  readonly desired: Readonly<Record<string, number>>;
}

/** Resident memory now and at its most, MiB. */
function memoryOf(process: ChildProcess): { now: number; peak: number } {
  const status = readFileSync(`/proc/${process.pid}/status`, 'utf8');
  const of = (field: string): number => Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) / 1024;
  return { now: of('VmRSS'), peak: of('VmHWM') };
}

/** Seconds of a processor that a process has used. */
function processorOf(process: ChildProcess): number {
  const fields = readFileSync(`/proc/${process.pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  // utime and stime, in hundredths.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const seconds = (from: number): number => (performance.now() - from) / 1000;

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resume) => setTimeout(resume, 1000));
}

const bundles = await benchBundles();
const folder = await mkdtemp(join(tmpdir(), 'eigen-bench-fleet-'));
const simulator = child('./fleet/simulator.ts');
let controller: ChildProcess | undefined;
try {
  await enrolAll(folder);
  const blobs = new BlobFolder(folder);
  for (const bytes of [bundles.old, bundles.now, bundles.delta]) await blobs.addBytes(bytes);
  await blobs.close();
  const old = await assignmentOf(bundles.old, 1);
  const now = await assignmentOf(bundles.now, 2, { from: old.blob.sha256, bytes: bundles.delta });
  console.log(`${names.length} devices; bundle ${bundles.old.length} bytes, delta ${bundles.delta.length}`);

  controller = child('./fleet/controller.ts', [folder, NAMESPACE]);
  const port = await new Promise<number>((resolve) =>
    controller!.once('message', (m) => resolve((m as { port: number }).port)),
  );
  const client = await FleetClient.open({ data: folder }, {});
  const overview = (): Promise<Overview> => client.ask<Overview>('GET', '/v1/fleet');
  const used = { controller: 0, simulator: 0 };
  const show = (what: string, time: number): void => {
    const { now: resident, peak } = memoryOf(controller!);
    const of = { controller: processorOf(controller!), simulator: processorOf(simulator) };
    const processor = `processor ${(of.controller - used.controller).toFixed(1)} + ${(of.simulator - used.simulator).toFixed(1)} s`;
    Object.assign(used, of);
    const memory = `controller ${resident.toFixed(0)} MiB, at most ${peak.toFixed(0)}`;
    console.log(`${what.padEnd(34)} ${time.toFixed(1).padStart(6)} s   ${processor.padEnd(26)} ${memory}`);
  };
  show('started', 0);

  let from = performance.now();
  await order(simulator, { kind: 'setup', port, namespace: NAMESPACE, devices: names, assignments: [old, now] });
  await until(async () => (await overview()).online === names.length);
  show('all connected and known', seconds(from));

  for (const [what, assignment] of [
    ['all have the bundle', old],
    ['all have the next one, by delta', now],
  ] as const) {
    from = performance.now();
    for (let at = 0; at < names.length; at += 10_000) {
      const body = {
        key: what,
        devices: names.slice(at, at + 10_000),
        action: 'install',
        target: assignment.blob.sha256,
      };
      await client.ask('POST', '/v1/desired', body);
    }
    await until(async () => (await overview()).desired.committed === names.length);
    show(what, seconds(from));
  }

  from = performance.now();
  await order(simulator, { kind: 'cut' });
  await until(async () => (await overview()).online < names.length);
  const connected = async (): Promise<number> => (await order(simulator, { kind: 'connected' })).connected;
  await until(async () => (await connected()) === names.length && (await overview()).online === names.length);
  show('all back after a cut', seconds(from));
  const { rss } = await order(simulator, { kind: 'connected' });
  console.log(`simulator ${(rss / MIB).toFixed(0)} MiB`);
} finally {
  simulator.kill();
  controller?.kill();
  await rm(folder, { recursive: true, force: true });
}
