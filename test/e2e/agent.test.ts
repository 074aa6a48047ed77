// timeout: 300
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { connectModel } from '../../sdk/device/client/socket-client.ts';
import { AgentFolder } from '../support/agent-process.ts';
import { four } from '../support/fake-model.ts';
import { bundleOf } from '../support/scale-bundle.ts';

/** The agent as it ships: one file, a process, a socket. */
async function withAgent(work: (folder: AgentFolder) => Promise<void>): Promise<void> {
  const folder = await AgentFolder.make({ exchangeSeconds: 3600 });
  try {
    await work(folder);
  } finally {
    await folder.remove();
  }
}

/** A file with an agent that does something before it is one, when another agent loads it. */
function agentThat(folder: AgentFolder, does: string): Uint8Array {
  const text = readFileSync(folder.file, 'utf8');
  const [shebang] = text.split('\n', 1);
  return new TextEncoder().encode(`${shebang}\nif (require.main !== module) { ${does} }${text.slice(shebang!.length)}`);
}

const [three, five] = await Promise.all([3, 5].map((factor) => bundleOf(factor)));

test('models from a folder, for applications at a socket; a second agent is refused; SIGTERM ends it', async () => {
  await withAgent(async (folder) => {
    const first = folder.depot.assign('model', three!, { release: 1, board: 'board' });
    const agent = folder.start();
    await agent.until({ event: 'committed', sha256: first });
    const model = await connectModel(folder.socket);
    assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
    const second = folder.start();
    assert.is(await second.end(), 2);
    assert.match(second.stderr, /another agent works on this state folder.*EW1006_STATE_IN_USE/s);
    const next = folder.depot.assign('model', five!, { release: 2 });
    agent.exchange();
    await agent.until({ event: 'committed', sha256: next });
    const answer = await model.run(four(2));
    assert.equal([answer.model, answer.outputs.y!.data[0]], [next, 10]);
    assert.is(await agent.stop(), 0);
    assert.is(agent.stderr, '');
    await model.close();
    const again = folder.start();
    await again.until({ event: 'serving', model: next });
    assert.is(await again.stop(), 0);
  });
});

test('a new agent takes the place of the old one and stays', async () => {
  await withAgent(async (folder) => {
    folder.depot.assign('model', three!, { release: 1 });
    const update = folder.depot.assign('agent', agentThat(folder, 'globalThis.updated = 1;'), { release: 1 });
    const agent = folder.start({ flags: ['--supervise'] });
    await agent.until({ event: 'ended', ended: 'restart' });
    await agent.until({ event: 'started', agent: update });
    await agent.until({ event: 'committed', kind: 'agent', sha256: update });
    const model = await connectModel(folder.socket);
    assert.is((await model.run(four(2))).outputs.y!.data[0], 6);
    await model.close();
    assert.is(await agent.stop(), 0);
    const again = folder.start();
    await again.until({ event: 'started', agent: update });
    assert.is(await again.stop(), 0);
  });
});

/** Agents that pass the check and do not work. */
const BROKEN: Readonly<Record<string, string>> = {
  'that cannot be loaded': "throw new Error('not on this system');",
  'that dies soon after its start': 'setTimeout(() => process.exit(7), 20);',
  'that kills itself at once': "process.kill(process.pid, 'SIGKILL');",
};

for (const [name, does] of Object.entries(BROKEN))
  test(`a new agent ${name}: the old one comes back, and it is not tried again`, async () => {
    await withAgent(async (folder) => {
      const update = folder.depot.assign('agent', agentThat(folder, does), {
        release: 1,
        probation: { milliseconds: 3_600_000 },
      });
      const agent = folder.start({ flags: ['--supervise'] });
      await agent.until({ event: 'ended', ended: 'restart' });
      await agent.until({ event: 'update-failed', kind: 'agent', sha256: update, step: 'PROBATION' });
      const idle = await agent.until({ event: 'step', kind: 'agent', step: 'IDLE' });
      assert.match(String(idle.why), /release 1 of it failed in PROBATION/);
      assert.is(agent.lines.filter((l) => l.event === 'ended').length, 1);
      assert.is(await agent.stop(), 0);
    });
  });

test('an agent that is none does not pass the gate', async () => {
  await withAgent(async (folder) => {
    const update = folder.depot.assign('agent', new TextEncoder().encode('process.exit(3)'), { release: 1 });
    const agent = folder.start();
    const { step, code } = await agent.until({ event: 'update-failed', kind: 'agent', sha256: update });
    assert.equal([step, code], ['GATE', 'EW7005_GATE_FAILED']);
    assert.is(await agent.stop(), 0);
  });
});

test.run();
