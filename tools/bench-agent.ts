/**
 * What the agent of a device takes: its size as one file, and, connected to a controller over MQTT and with a model of 1 MiB, its memory and
 * the share of a core when it is idle; and what applications notice of models of 1 MiB that change. Linux only.
 *
 * --seconds N   how long it is watched, 60 by default
 * --swaps N     how many times models change, 200 by default
 */
import { parseArgs } from 'node:util';
import { measureAgent } from './agent/measure.ts';
import { swapMegabytes } from './agent/megabytes.ts';
import { GRACE, type Pauses } from './agent/swaps.ts';
import { AGENT_BUDGET } from './lib/agent-file.ts';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, swaps: { type: 'string', default: '200' } },
});
const figures = await measureAgent(Number(values.seconds));
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`file                 ${figures.fileBytes} bytes of ${AGENT_BUDGET}`);
console.log(`model                bundle of ${megabytes(figures.bundleBytes)}`);
console.log(`resident             ${megabytes(figures.residentBytes)}, goal 80 MB`);
console.log(`its share of that    ${megabytes(figures.proportionalBytes)}`);
console.log(`at most              ${megabytes(figures.peakBytes)}, while the model was installed`);
console.log(`processor, idle      ${(100 * figures.idleCpu).toFixed(2)} % of a core, goal 1 %`);

const swaps = await swapMegabytes(Number(values.swaps));
const line = ({ median, p99, p999, most }: Pauses): string =>
  [median, p99, p999, most].map((ms) => ms.toFixed(2).padStart(8)).join('');
console.log(
  `${swaps.swaps} swaps         ${swaps.inferences} inferences, ${swaps.failed} failed, ${swaps.mixed} mixed`,
);
console.log('from answer to answer, ms    50 %    99 %  99.9 %    most');
console.log(`  nothing changes       ${line(swaps.still)}`);
console.log(`  models change         ${line(swaps.swapping)}`);
console.log(`  longest of each swap  ${line(swaps.own)}, time of the thread`);
console.log(`pauses beyond one inference and ${GRACE} ms, time of the thread: ${swaps.beyond} in ${swaps.swaps} swaps`);
for (const { own, wall, stood } of swaps.long)
  console.log(
    `  ${own.toFixed(2)} ms as the system counts, ${wall.toFixed(2)} by the clock; ${swaps.witnessed ? stood.toFixed(2) : '?'} of that the processor stood still`,
  );
if (swaps.failed + swaps.mixed + swaps.beyond > 0) process.exitCode = 1;
