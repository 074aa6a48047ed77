import * as assert from 'uvu/assert';
import type { CrashFileSystem, Fault } from '../../sdk/testing/crash-file-system.ts';
import type { LossModel } from '../../sdk/testing/crash-image.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { versionOf } from './agent-bench.ts';
import { benchFor, deviceBefore, runUpdate, target, type Update } from './device-updates.ts';
import { VERSIONS } from './versions.ts';

/** What may run after a power cut in an update: what ran before it, or what it installs. */
export function allowed({ before, to }: Update): Set<number | undefined> {
  return new Set([before.at(-1), to]);
}

/** What may be there in the end: an agent that is cut off in its first starts, or cannot count them, is gone back from. */
function endsOf(update: Update): Set<number | undefined> {
  return update.self ? allowed(update) : new Set([update.ends]);
}

/** Operations that the longest recovery may take. */
const MOST_RECOVERY = 60;

/**
 * What must hold after power went during an update: the old model or the new one starts, soon and whole; and the update then comes to
 * where it would have come. `label` names the case.
 */
export async function checkAfterCut(update: Update, fs: CrashFileSystem, label: string): Promise<void> {
  const bench = benchFor(update);
  const agent = await bench.start(fs);
  assert.ok(fs.operations.length <= MOST_RECOVERY, `${label}: ${fs.operations.length} operations to recover`);
  const version = await versionOf(agent);
  assert.ok(allowed(update).has(version), `${label}: version ${version} starts`);
  if (update.starts !== undefined) return;
  await bench.drive(agent, target(update), fs, async () => {
    const running = await versionOf(bench.agent!);
    assert.ok(allowed(update).has(running), `${label}: version ${running} runs`);
  });
  const ended = await versionOf(bench.agent!);
  assert.ok(endsOf(update).has(ended), `${label}: version ${ended} in the end`);
  const [plan] = await bench.agent!.plan(undefined);
  assert.is(plan!.name, 'IDLE', label);
  // What ended is durable, and no more than one bundle too many lies around.
  const later = fs.crash('lost');
  assert.is(await versionOf(await bench.start(later)), ended, `${label}: after another cut`);
  const most = 3 * VERSIONS[update.to]!.bytes.length + 8192;
  assert.ok(later.usedBytes() < most, `${label}: ${later.usedBytes()} bytes lie around`);
}

/** Power cuts at these operations of an update, each under every one of the loss models. Returns how many cases that were. */
export async function cutAt(
  update: Update,
  points: readonly number[],
  models: readonly LossModel[],
  second?: { readonly seed: number; readonly cuts: number },
): Promise<number> {
  const before = await deviceBefore(update);
  let cases = 0;
  for (const point of points) {
    const fs = before.crash('kept');
    fs.cutPowerAt(point);
    const { ran } = await runUpdate(update, fs);
    for (const version of ran) assert.ok(allowed(update).has(version), `${update.name}: version ${version} ran`);
    for (const model of models) {
      const label = `${update.name}, cut at ${point}, ${model}`;
      if (!second) {
        await checkAfterCut(update, fs.crash(model, point + 1), label);
        cases++;
        continue;
      }
      cases += await cutAgain(update, () => fs.crash(model, point + 1), {
        ...second,
        seed: second.seed + point,
        label,
      });
    }
  }
  return cases;
}

/** Errors at these operations of an update, each once and for a while. Returns how many cases that were. */
export async function failAt(update: Update, points: readonly number[], faults: readonly Fault[]): Promise<number> {
  const before = await deviceBefore(update);
  let cases = 0;
  for (const point of points)
    for (const fault of faults)
      for (const times of [1, Number.POSITIVE_INFINITY]) {
        const label = `${update.name}, ${fault} at ${point}${times > 1 ? ' and after' : ''}`;
        const fs = before.crash('kept');
        fs.failAt(point, fault, times);
        const { ran, lost, bench } = await runUpdate(update, fs);
        // Where the last model cannot be read, the one before it is better than none.
        const lastResort = fault === 'EIO' && times > 1 ? [update.before.at(-2)] : [];
        const may = new Set([...allowed(update), ...lastResort, undefined]);
        for (const version of ran) assert.ok(may.has(version), `${label}: version ${version} ran`);
        // Without any of its slots the agent that was installed runs.
        if (update.before.length > 0 && !update.self) assert.not(lost, `${label}: nothing ran any more`);
        const ended = await versionOf(bench.agent!);
        const ends = times === 1 && update.starts === undefined ? endsOf(update) : allowed(update);
        assert.ok(ends.has(ended), `${label}: version ${ended} in the end`);
        const started = await versionOf(await bench.start(fs.crash('lost')));
        assert.ok(allowed(update).has(started), `${label}: version ${started} after a power cut`);
        cases++;
      }
  return cases;
}

/** Power goes a second time while a device recovers and goes on. */
async function cutAgain(
  update: Update,
  start: () => CrashFileSystem,
  { seed, cuts, label }: { readonly seed: number; readonly cuts: number; readonly label: string },
): Promise<number> {
  const dry = start();
  await runUpdate(update, dry);
  const lasting = dry.lastingOperations();
  const rng = new Rng(seed);
  for (let i = 0; i < cuts; i++) {
    const fs = start();
    const point = lasting[rng.below(lasting.length)]!;
    fs.cutPowerAt(point);
    await runUpdate(update, fs);
    const model = (['kept', 'lost', 'torn', 'reordered'] as const)[rng.below(4)]!;
    await checkAfterCut(update, fs.crash(model, seed + i), `${label}, then at ${point}, ${model}`);
  }
  return cuts;
}

/** Operations of an update that runs through, and those of them that change what a power cut leaves. */
export async function operationsOf(update: Update): Promise<{ readonly all: number; readonly lasting: number[] }> {
  const fs = (await deviceBefore(update)).crash('kept');
  const { bench } = await runUpdate(update, fs);
  assert.is(await versionOf(bench.agent!), update.ends, `${update.name}: without any cut`);
  return { all: fs.operations.length, lasting: fs.lastingOperations() };
}

/** Numbers of so many operations. */
export function allOperations(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
