/**
 * `npm run demo:fleet`: a controller with its broker, and twenty devices, each an agent in a process of its own with an application that uses
 * its model. A good model goes out in waves; one that is silently worse is stopped at the canary and taken back; one that was changed after it was
 * signed is refused. Ends with 4 when something of that does not happen.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type RolloutInput, showDevice } from 'eigenweights';
import type { LogLine } from './device.ts';
import { Fleet } from './fleet.ts';
import { buildModel } from './models.ts';
import { recordWindows } from './signals.ts';
import { type Names, rollOut } from './story.ts';

const EXIT_NOT_SHOWN = 4;
const { values } = parseArgs({
  options: {
    devices: { type: 'string', default: '20' },
    agent: { type: 'string', default: resolve(import.meta.dirname, '../../dist/agent/eigenweights-agent.cjs') },
  },
});

const started = performance.now();
const say = (line: string): void => {
  const time = line.trim() === '' ? '' : `${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  `;
  const [, breaks, text] = /^(\n*)(.*)$/s.exec(line)!;
  process.stdout.write(`${breaks}${time}${text}\n`);
};

/** Applications' metrics decide about a model: accuracy may be 4 % lower, in the canary and in every wave. */
const CAREFUL: Partial<RolloutInput> = {
  control: { count: 5 },
  waves: [{ count: 5 }, { share: 1 }],
  gate: {
    soakMilliseconds: 4000,
    success: { least: 0.6, confidence: 0.8 },
    metrics: [{ name: 'accuracy', better: 'higher', margin: 0.04 }],
  },
};

/** The more windows of a motor a model has learned from, the better it is. */
const MODELS = [
  { name: 'motor-1', windows: 400 },
  { name: 'motor-2', windows: 4000 },
  { name: 'motor-3', windows: 100 },
  { name: 'motor-4', windows: 3000 },
];

const failed: string[] = [];
const shows = (what: string, holds: boolean): void => {
  say(`${holds ? 'shown' : 'NOT SHOWN'}: ${what}`);
  if (!holds) failed.push(what);
};

/** What agents say of refusals, each once. */
const refusals = new Map<string, string>();
function onLog(device: string, line: LogLine): void {
  if (line.event === 'step' && line.ended === 'failed' && !refusals.has(device)) {
    refusals.set(device, String(line.reason));
    say(`  ${device} refuses: ${line.reason}`);
  }
}

const folder = await mkdtemp(join(tmpdir(), 'ew-'));
const fleet = await Fleet.start(folder);
try {
  // The first loads the compiler for the others.
  const bundles: string[] = [];
  for (const { name, windows } of MODELS) {
    const bundle = await buildModel(folder, { name, windows, seed: 7 });
    bundles.push(await fleet.publish(bundle));
  }
  const [first, better, worse, broken] = bundles as [string, string, string, string];
  say('four models are built, signed and published');
  const names = Array.from({ length: Number(values.devices) }, (_, i) => `dev-${String(i + 1).padStart(2, '0')}`);
  await fleet.add(names, values.agent, onLog);
  await fleet.connected(names.length, () => pause(200));
  say(`${names.length} devices have enrolled and are connected`);
  const known: Names = new Map();
  const runs = async (sha256: string): Promise<number> => {
    const running = await Promise.all(fleet.devices.map((d) => d.running()));
    return running.filter((r) => r === sha256).length;
  };

  const all = await rollOut(
    fleet,
    { title: 'The first model, to everybody at once', name: 'motor-1', sha256: first, more: {} },
    known,
    say,
  );
  shows('every device runs the first model', all.phase === 'DONE' && (await runs(first)) === names.length);
  fleet.use(recordWindows(8000, 99));
  say('applications use it, and tell how often it is right');
  await pause(6000);

  const good = await rollOut(
    fleet,
    { title: 'A better model, in waves', name: 'motor-2', sha256: better, more: CAREFUL },
    known,
    say,
  );
  shows('a good model reaches every device in waves', good.phase === 'DONE' && (await runs(better)) === names.length);
  await pause(3000);

  const bad = await rollOut(
    fleet,
    {
      title: 'A model that passes all tests and is silently worse',
      name: 'motor-3',
      sha256: worse,
      more: CAREFUL,
    },
    known,
    say,
  );
  const reached = bad.waves.slice(1).every((w) => w.committed + w.failed + w.reverted === 0);
  shows('it is stopped at the canary', bad.phase === 'FAILED' && /accuracy/.test(bad.reason ?? '') && reached);
  shows('and every device runs the model before it', (await runs(better)) === names.length);

  // In every piece: those that a device has of another bundle it does not fetch.
  const bytes = await readFile(fleet.blob(broken));
  for (let at = 0; at < bytes.length; at += 1000) bytes[at]! ^= 1;
  await writeFile(fleet.blob(broken), bytes);
  const corrupted = await rollOut(
    fleet,
    {
      title: 'A model that was changed after it was signed',
      name: 'motor-4',
      sha256: broken,
      more: { ...CAREFUL, retries: { most: 0 } },
    },
    known,
    say,
  );
  shows('it is refused by every device that was offered it', corrupted.phase === 'FAILED' && refusals.size > 0);
  const told = await Promise.all([...refusals.keys()].map((device) => showDevice(fleet.client, device)));
  const named = told.some(({ reports }) => reports.some((r) => r.attack === 'arbitrary-installation'));
  shows('reports name what it amounts to: arbitrary-installation', named);
  shows('and runs nowhere', (await runs(better)) === names.length);
} finally {
  await fleet.close();
  await rm(folder, { recursive: true, force: true });
}
say(failed.length === 0 ? '\neverything was shown' : `\n${failed.length} things were not shown`);
process.exitCode = failed.length === 0 ? 0 : EXIT_NOT_SHOWN;
