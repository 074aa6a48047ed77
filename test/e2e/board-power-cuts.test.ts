// timeout: 900
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { skip } from '../../sdk/testing/skip.ts';
import { cacheFolder } from '../../sdk/util/cache.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { type CutResult, planCuts } from '../support/board/cut-plan.ts';
import { CutBench } from '../support/board/cuts.ts';
import { CutDisk } from '../support/board/disk.ts';
import { boardSystem, missingForBoard } from '../support/board/system.ts';

/**
 * The real agent on a virtual board: an emulated Cortex-A72 with Debian's kernel, ext4 on a disk that loses its cache, and a controller on
 * this machine. Power goes in the middle of updates; whatever answers after that must be the old model or the new one, with its own
 * outputs, and the update must come to its end. EIGEN_BOARD_CUTS says how many there are, EIGEN_BOARD_SEED which.
 */
const CUTS = Number(process.env.EIGEN_BOARD_CUTS ?? 3);
const SEED = Number(process.env.EIGEN_BOARD_SEED ?? 3);
const NAME = 'power cuts of a virtual board';

test('a disk keeps what was flushed, and of the rest what the cut says', () => {
  const [first, second] = [new Uint8Array(2048).fill(1), new Uint8Array(2048).fill(2)];
  for (const loss of ['kept', 'lost', 'some'] as const) {
    const disk = new CutDisk(new Uint8Array(4096));
    disk.write(0, first);
    disk.flush();
    disk.write(1024, second);
    assert.equal(disk.read(1024, 2048), Buffer.from(second), 'is read as it was written');
    assert.is(disk.cut(loss, new Rng(1)), 2048);
    disk.write(0, second);
    disk.powerOn();
    assert.equal(disk.read(0, 1024), Buffer.from(first.subarray(0, 1024)));
    const sectors = [1024, 1536, 2048, 2560].map((at) => disk.read(at, 512)[0]);
    const old = [1, 1, 0, 0];
    if (loss === 'kept') assert.equal(sectors, [2, 2, 2, 2]);
    else if (loss === 'lost') assert.equal(sectors, old);
    else assert.ok(sectors.every((value, i) => value === 2 || value === old[i]) && sectors.includes(2));
  }
});

test(NAME, async () => {
  const missing = missingForBoard();
  if (missing) return skip(NAME, `no ${missing}`);
  const cache = cacheFolder() ?? mkdtempSync(join(tmpdir(), 'ew-system-'));
  const system = boardSystem(cache);
  if (!system) return skip(NAME, 'kernel and Node for arm64 cannot be fetched from the mirrors of Debian and npm');
  const bench = await CutBench.open(system, SEED);
  const results: CutResult[] = [];
  try {
    for (const cut of planCuts(CUTS, SEED)) {
      const result = await bench.cut(cut);
      results.push(result);
      console.log(lineOf(result));
    }
  } finally {
    await bench.close();
    if (cacheFolder() === undefined) rmSync(cache, { recursive: true });
    console.log(summaryOf(results));
  }
});

const seconds = (value: number): string => `${value.toFixed(1)} s`;

function lineOf({ cut, state, unflushed, started, fetched, answered, recovered, ended }: CutResult): string {
  const columns = [cut.update.padEnd(5), state.padEnd(9), cut.loss.padEnd(5), `${unflushed} bytes unflushed`];
  const times = `a model answers after ${seconds(answered)}, ${seconds(recovered)} of the agent's`;
  return `${columns.join(' ')}: the ${started} one starts, ${times}; ${fetched} bytes fetched, updated after ${seconds(ended)}`;
}

function summaryOf(results: readonly CutResult[]): string {
  const counts = new Map<string, number>();
  for (const { state } of results) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, count]) => `${state} ${count}`).join(', ');
  const recovered = results.map((r) => r.recovered).sort((a, b) => a - b);
  const median = recovered[recovered.length >> 1] ?? 0;
  return `${results.length} of ${CUTS} power cuts (${states}) without a failure; from the agent's start to an answer ${seconds(median)}, at most ${seconds(recovered.at(-1) ?? 0)}`;
}

test.run();
