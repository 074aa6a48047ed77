/** Makes the agent of a device one file, dist/agent/eigenweights-agent.cjs, prints its size and fails above the budget. */
import { stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { AGENT_BUDGET, buildAgent } from './lib/agent-file.ts';

const root = resolve(import.meta.dirname, '..');
const { values } = parseArgs({ options: { out: { type: 'string' }, parts: { type: 'boolean' } } });
const out = resolve(values.out ?? resolve(root, 'dist/agent/eigenweights-agent.cjs'));
const inputs = await buildAgent(out);
if (values.parts) for (const [name, bytes] of inputs.slice(0, 40)) console.log(`${String(bytes).padStart(8)}  ${name}`);
const { size } = await stat(out);
console.log(`${relative(root, out)}: ${size} bytes of ${AGENT_BUDGET}`);
process.exitCode = size > AGENT_BUDGET ? 1 : 0;
