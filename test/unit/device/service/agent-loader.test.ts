import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { passGate } from '../../../../sdk/device/agent/gate.ts';
import type { LoadedModel } from '../../../../sdk/device/agent/model.ts';
import { agentLoader } from '../../../../sdk/device/service/agent-loader.ts';
import { AGENT_STORE } from '../../../../sdk/device/service/boot.ts';
import { sha256 } from '../../../../sdk/util/hash.ts';
import { codeOf } from '../../../support/fake-model.ts';

let state = '';

test.before.each(async () => {
  state = await mkdtemp(join(tmpdir(), 'ew-agents-'));
});

test.after.each(() => rm(state, { recursive: true }));

/** An agent that is this program, where agents are stored; loaded. */
async function loaded(program: string): Promise<LoadedModel> {
  const bytes = new TextEncoder().encode(program);
  const folder = join(state, AGENT_STORE.slots, 'blobs');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, sha256(bytes)), bytes);
  return agentLoader(state, '/etc/the agent.json').load(bytes);
}

/** Says no, in two lines, unless these are the words that it was started with. */
const CHECKING = `
const words = process.argv.slice(2).join('|');
if (words !== '--check|--config|/etc/the agent.json') {
  process.stderr.write('started wrongly\\n' + words + '\\n');
  process.exitCode = 1;
}`;

test('an agent proves itself by starting with the configuration of the device', async () => {
  const agent = await loaded(CHECKING);
  assert.is(agent.modelBytes, CHECKING.length);
  assert.equal(agent.signature, { inputs: [], outputs: [] });
  const times = await agent.runGolden();
  assert.is(times.length, 1);
  assert.ok(times[0]! > 0);
  await passGate(agent, {});
  await agent.run({}).then(
    () => assert.unreachable(),
    (e: Error) => assert.match(e.message, 'no inputs'),
  );
  agent.close();
});

const reasonOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (e: Error) => e.message,
  );

test('one that does not start says why, in one line', async () => {
  const throwing = await loaded("throw new TypeError('no such thing')");
  assert.is(await codeOf(throwing.runGolden()), 'EW7005_GATE_FAILED');
  const refusing = await loaded("process.stderr.write('first\\nEW1005: board is missing\\n'); process.exitCode = 2;");
  assert.match(await reasonOf(refusing.runGolden()), /does not start here: EW1005: board is missing$/);
  const long = await loaded("process.stderr.write('x'.repeat(5000)); process.exitCode = 1;");
  assert.ok((await reasonOf(long.runGolden())).length < 400);
  const silent = await loaded('process.exit(3)');
  assert.match(await reasonOf(silent.runGolden()), 'does not start here: Command failed');
});

test('what is not there, or no program, does not pass', async () => {
  const bytes = new TextEncoder().encode('process.exit(0)');
  const absent = await agentLoader(state, 'agent.json').load(bytes);
  assert.is(await codeOf(absent.runGolden()), 'EW7005_GATE_FAILED');
  assert.is(await codeOf((await loaded('\\0ELF')).runGolden()), 'EW7005_GATE_FAILED');
});

test.run();
