// timeout: 300
/** Deltas as files, and ten thousand of them that are wrong. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { makeDelta } from '../../sdk/bundle/index.ts';
import { runCli } from '../../sdk/cli/app.ts';
import { COMMANDS } from '../../sdk/cli/commands/index.ts';
import { Rng } from '../../sdk/util/rng.ts';
import { fakeIo } from '../support/cli-io.ts';
import { corrupted, outcomeOf } from '../support/corruption.ts';
import { openState, stateBundle } from '../support/trained-bundles.ts';

const folder = mkdtempSync(join(tmpdir(), 'eigenweights-delta-'));
test.after(() => rmSync(folder, { recursive: true }));

async function cli(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = fakeIo();
  const code = await runCli(['-C', folder, ...args], COMMANDS, io);
  return { code, out: io.out(), err: io.err() };
}

test('delta and apply: from file to file', async () => {
  for (const state of [0, 1, 2] as const) writeFileSync(join(folder, `${state}.ewb`), stateBundle(state, 24));
  const made = await cli('delta', '0.ewb', '1.ewb', '-o', 'u.ewd');
  assert.is(made.code, 0, made.err);
  assert.match(made.out, /planes +differences/);
  const applied = await cli('apply', '0.ewb', 'u.ewd', '-o', 'new.ewb', '--digest', openState(1, 24).digest);
  assert.is(applied.code, 0, applied.err);
  assert.equal(new Uint8Array(readFileSync(join(folder, 'new.ewb'))), stateBundle(1, 24));
});

test('apply: what is wrong leaves the file that was there', async () => {
  const before = readFileSync(join(folder, 'new.ewb'));
  const files = readdirSync(folder);
  const base = await cli('apply', '2.ewb', 'u.ewd', '-o', 'new.ewb');
  assert.is(base.code, 6);
  assert.match(base.err, 'EW6009_DELTA_BASE');
  const other = await cli('apply', '0.ewb', 'u.ewd', '-o', 'new.ewb', '--digest', 'f'.repeat(64));
  assert.match(other.err, 'EW6008_DELTA_INVALID');
  const missing = await cli('apply', '0.ewb', 'none.ewd', '-o', 'new.ewb');
  assert.match(missing.err, 'EW1002_FILE_NOT_FOUND');
  const dry = await cli('apply', '0.ewb', 'u.ewd', '-o', 'newer.ewb', '--dry-run');
  assert.is(dry.code, 0, dry.err);
  assert.equal(readFileSync(join(folder, 'new.ewb')), before);
  assert.equal(readdirSync(folder), files);
});

test('10,000 corrupted deltas: none is accepted as something else', async () => {
  const rng = new Rng(6);
  let refused = 0;
  for (const state of [1, 2, 3] as const) {
    const [old, wanted, now] = [stateBundle(0, 24), stateBundle(state, 24), openState(state, 24)];
    const { bytes: delta } = makeDelta(openState(0, 24), now);
    for (let i = 0; i < 3400; i++) {
      const { bytes } = corrupted(delta, rng);
      if (Buffer.compare(bytes, delta) === 0) continue;
      if ((await outcomeOf(bytes, { old, now, wanted })) === 'refused') refused++;
    }
  }
  assert.ok(refused > 10_000, `${refused}`);
});

test.run();
