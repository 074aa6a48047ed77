/**
 * A fleet on one machine: `eigenweights serve` from dist/, with its broker and PGlite in its process; devices in another: the whole service of
 * a device but for its disk, its models and the library of its connection, over real sockets. Bundles are published with signed metadata, which
 * every device fetches and verifies by itself, and come by rollouts of three waves. Prints how long it takes until all are there and have asked
 * what they are to run, until a rollout of a bundle is done, until one of the next bundle is done, by deltas, and until all are back after their
 * connections were cut; processor time of controller and devices, and the memory of the controller. Option: --devices N.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { initKeys } from '../sdk/app/keys.ts';
import { publishBundle } from '../sdk/app/publish.ts';
import { hashOfSecret } from '../sdk/fleet/access/secrets.ts';
import { openEmbedded } from '../sdk/fleet/database/index.ts';
import { actOnRollout, createRollout, FleetClient, type RolloutInput, type RolloutSummary } from '../sdk/index.ts';
import { shardOf } from '../sdk/wire/protocol/topics.ts';
import { BOARD, benchBundles } from './fleet/bundles.ts';
import { type BenchController, startController } from './fleet/controller.ts';
import type { Look, Order } from './fleet/simulator.ts';

const NAMESPACE = 'bench';

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

function order(simulator: ChildProcess, what: Order): Promise<Look> {
  return new Promise((resolve) => {
    simulator.once('message', (answer) => resolve(answer as Look));
    simulator.send(what);
  });
}

interface Overview {
  readonly online: number;
  readonly desired: Readonly<Record<string, number>>;
  readonly running: Readonly<Record<string, number>>;
}

/** Resident memory now and at its most, MB of a million bytes. */
function memoryOf(process: ChildProcess): { now: number; peak: number } {
  const status = readFileSync(`/proc/${process.pid}/status`, 'utf8');
  const of = (field: string): number => (Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1] ?? 0) * 1024) / 1e6;
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

/** Brings a bundle to all: a canary of a hundredth, a tenth, all. */
async function rollOut(client: FleetClient, name: string, sha256: string): Promise<void> {
  const description: RolloutInput = {
    name,
    query: 'all',
    variants: [{ sha256, board: BOARD }],
    waves: [{ share: 0.01 }, { share: 0.1 }, { share: 1 }],
    probationMilliseconds: 0,
  };
  const { id } = await createRollout(client, description);
  await actOnRollout(client, id, 'start');
  const summary = (): Promise<RolloutSummary> => client.ask('GET', `/v1/rollouts/${id}`);
  const over = async (): Promise<boolean> => {
    // The summary of ten thousand devices is not to be had for nothing.
    const { rollouts } = await client.ask<{ rollouts: { id: string; phase: string }[] }>('GET', '/v1/rollouts');
    return !['CANARY', 'WAVE'].includes(rollouts.find((r) => r.id === id)!.phase);
  };
  await until(over);
  const { phase, reason, failures } = await summary();
  if (phase === 'DONE') return;
  throw new Error(`rollout ${id} is ${phase}: ${reason}\n${JSON.stringify(failures.slice(0, 3))}`);
}

const bundles = await benchBundles();
const folder = await mkdtemp(join(tmpdir(), 'eigen-bench-fleet-'));
const simulator = fork(new URL('./fleet/simulator.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
let controller: BenchController | undefined;
try {
  await enrolAll(folder);
  await initKeys({ folder }, { rootKeys: 3, threshold: 2 });
  const [old, now] = [join(folder, 'bench-1.ewb'), join(folder, 'bench-2.ewb')];
  await writeFile(old, bundles.old);
  await writeFile(now, bundles.now);
  const first = await publishBundle({ folder, bundle: old, family: 'bench' });
  console.log(`${names.length} devices; bundle ${first.bytes} bytes`);

  controller = await startController(folder, NAMESPACE);
  const { port, process: serving } = controller;
  const client = await FleetClient.open({ data: folder }, {});
  const overview = (): Promise<Overview> => client.ask<Overview>('GET', '/v1/fleet');
  const used = { controller: 0, simulator: 0 };
  const show = async (what: string, time: number): Promise<void> => {
    const { now: resident, peak } = memoryOf(serving);
    const of = { controller: processorOf(serving), simulator: processorOf(simulator) };
    const processor = `processor ${(of.controller - used.controller).toFixed(1)} + ${(of.simulator - used.simulator).toFixed(1)} s`;
    Object.assign(used, of);
    const memory = `controller ${resident.toFixed(0)} MB, at most ${peak.toFixed(0)}`;
    const { problems } = await order(simulator, { kind: 'look' });
    const said = Object.entries(problems).map(([problem, count]) => `${count} ${problem}`);
    console.log(
      [`${what.padEnd(34)} ${time.toFixed(1).padStart(6)} s   ${processor.padEnd(26)} ${memory}`, ...said].join('\n  '),
    );
  };
  await show('started', 0);

  let from = performance.now();
  const root = join(folder, 'metadata', '1.root.json');
  await order(simulator, { kind: 'setup', port, namespace: NAMESPACE, devices: names, board: BOARD, root });
  await until(async () => (await overview()).online === names.length);
  await show('all connected and known', seconds(from));

  from = performance.now();
  await rollOut(client, 'first', first.sha256);
  await show('all have the bundle', seconds(from));

  const next = await publishBundle({ folder, bundle: now, family: 'bench', from: [old] });
  console.log(`next bundle ${next.bytes} bytes, delta ${next.deltas[0]!.bytes}`);
  from = performance.now();
  await rollOut(client, 'next', next.sha256);
  await show('all have the next one, by delta', seconds(from));
  await until(async () => (await overview()).running[next.sha256] === names.length);

  from = performance.now();
  await order(simulator, { kind: 'cut' });
  await until(async () => (await overview()).online < names.length);
  const connected = async (): Promise<number> => (await order(simulator, { kind: 'look' })).connected;
  await until(async () => (await connected()) === names.length && (await overview()).online === names.length);
  await show('all back after a cut', seconds(from));
  const { rss } = await order(simulator, { kind: 'look' });
  console.log(`simulator ${(rss / 1e6).toFixed(0)} MB`);
  if (controller.problems.size > 0) console.log('the controller warned of', Object.fromEntries(controller.problems));
} finally {
  simulator.kill();
  controller?.process.kill();
  await rm(folder, { recursive: true, force: true });
}
