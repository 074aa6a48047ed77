/**
 * What the agent of a device takes: its size as one file, and, connected to a controller over MQTT and with a model of 1 MiB, its memory and
 * the share of a core when it is idle. Linux only.
 *
 * --seconds N   how long it is watched, 60 by default
 */
import { parseArgs } from 'node:util';
import { measureAgent } from './agent/measure.ts';
import { AGENT_BUDGET } from './lib/agent-file.ts';

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '60' } } });
const figures = await measureAgent(Number(values.seconds));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`file                 ${figures.fileBytes} bytes of ${AGENT_BUDGET}`);
console.log(`model                bundle of ${megabytes(figures.bundleBytes)}`);
console.log(`resident             ${megabytes(figures.residentBytes)}, goal 80 MB`);
console.log(`its share of that    ${megabytes(figures.proportionalBytes)}`);
console.log(`at most              ${megabytes(figures.peakBytes)}, while the model was installed`);
console.log(`processor, idle      ${(100 * figures.idleCpu).toFixed(2)} % of a core, goal 1 %`);
