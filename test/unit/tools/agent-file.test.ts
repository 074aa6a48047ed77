import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AGENT_BUDGET, buildAgent } from '../../../tools/lib/agent-file.ts';

test('the agent in one file keeps to its size', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-agent-file-'));
  try {
    const file = join(folder, 'agent.cjs');
    const largest = await buildAgent(file);
    const { size } = await stat(file);
    assert.ok(
      size <= AGENT_BUDGET,
      `${size} bytes of ${AGENT_BUDGET}; the largest parts: ${largest.slice(0, 5).join(', ')}`,
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
