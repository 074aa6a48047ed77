// timeout: 120
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Agent } from '../../../../sdk/device/agent/agent.ts';
import { bundleLoader } from '../../../../sdk/device/agent/bundle-loader.ts';
import { folderSource } from '../../../../sdk/device/agent/folder-source.ts';
import type { Outcome } from '../../../../sdk/device/agent/ledger.ts';
import { NodeDeviceFileSystem } from '../../../../sdk/device/fs/node.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';
import { bundleOf } from '../../../support/scale-bundle.ts';
import { specOf } from '../../../support/versions.ts';

test('real bundles from a folder: installed, swapped while it is used, a wrong one refused, started again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-agent-'));
  try {
    const [state, depot] = [join(folder, 'state'), join(folder, 'depot')];
    mkdirSync(state);
    mkdirSync(depot);
    const outcomes: Outcome[] = [];
    let now = 1000;
    const parts = {
      device: 'device',
      board: 'raspberry-pi-5',
      fs: new NodeDeviceFileSystem(state),
      loader: bundleLoader(),
      source: folderSource(new NodeDeviceFileSystem(folder), 'depot'),
      clock: { now: () => now, monotonic: () => now },
      conditions: async () => undefined,
      health: async () => undefined,
      report: async (outcome: Outcome) => {
        outcomes.push(outcome);
      },
    };
    const assignment = (bytes: Uint8Array, release: number) => {
      const blob = specOf(bytes, 4096);
      writeFileSync(join(depot, blob.sha256), bytes);
      const limits = { p95Milliseconds: 1000, modelBytes: 1 << 20 };
      const rest = { limits, shadowInputs: 0, probation: { milliseconds: 10 } };
      return { release, expires: 1e15, board: 'raspberry-pi-5', blob, ...rest };
    };
    const answer = async (agent: Agent): Promise<number> =>
      Number((await agent.host.run({ x: tensor('f32', [1, 4], [-1, 0, 1, 2]) })).y!.data[3]);

    const agent = await Agent.start(parts);
    const install = async (bytes: Uint8Array, release: number): Promise<void> => {
      const assigned = assignment(bytes, release);
      await agent.advance(assigned);
      now += 10;
      await agent.advance(assigned);
    };
    await install(await bundleOf(3), 1);
    assert.is(await answer(agent), 6);
    const running = Promise.all(Array.from({ length: 20 }, () => answer(agent)));
    await install(await bundleOf(5), 2);
    assert.equal([...new Set(await running)], [6]);
    assert.is(await answer(agent), 10);
    await install(await bundleOf(7, 5), 3);
    assert.is(await answer(agent), 10);
    assert.equal(
      outcomes.map((o) => (o.kind === 'failed' ? `${o.failure.step} ${o.failure.code}` : o.kind)),
      ['committed', 'committed', 'GATE EW6004_SELF_TEST_FAILED'],
    );
    const again = await Agent.start(parts);
    assert.is(await answer(again), 10);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
