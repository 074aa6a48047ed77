import { parseArgs } from 'node:util';
import { systemClock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { packageVersion } from '../../util/package.ts';
import '../agent/open-thread.ts';
import { enrolDevice } from './enrol.ts';
import { readAgentConfig, runAgent, startAgent, stdoutLog } from './main.ts';
import { supervise } from './supervise.ts';
import { agentUnit } from './unit.ts';

/** The agent as one file: `node eigenweights-agent.cjs --config FILE`. What it exports is what an agent that boots it calls. */
export { startAgent };

const HELP = `eigenweights agent: keeps the model of a device up to date and serves it to applications

  --config FILE   the configuration, JSON
  --supervise     start it again whenever it ends, and when it hangs
  --print-unit    print a systemd unit that runs it
  --enrol URL --token-file FILE
                  exchange a one-time token for credentials
  --check         say whether it could run with this configuration
  --version
`;

/** Runs a command line; returns the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    return await run(argv);
  } catch (e) {
    const message = e instanceof Error ? e.message : String(e);
    if (!isEigenError(e)) throw e;
    process.stderr.write(`error ${message} (${e.code})\n${e.hint ? `hint: ${e.hint}\n` : ''}`);
    return e.exitCode;
  }
}

async function run(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      config: { type: 'string' },
      supervise: { type: 'boolean' },
      'print-unit': { type: 'boolean' },
      check: { type: 'boolean' },
      enrol: { type: 'string' },
      'token-file': { type: 'string' },
      version: { type: 'boolean' },
    },
  });
  if (values.version) {
    process.stdout.write(`${packageVersion()}\n`);
    return 0;
  }
  const { config } = values;
  if (config === undefined) {
    process.stderr.write(HELP);
    return 2;
  }
  if (values.check) {
    await readAgentConfig(config);
    process.stdout.write(`${JSON.stringify({ version: packageVersion(), node: process.version })}\n`);
    return 0;
  }
  const tokenFile = values['token-file'];
  if (values.enrol !== undefined && tokenFile !== undefined) {
    const wrote = await enrolDevice({ config: await readAgentConfig(config), url: values.enrol, tokenFile });
    process.stdout.write(wrote.map((path) => `wrote ${path}\n`).join(''));
    return 0;
  }
  const start = [process.execPath, process.argv[1]!, '--config', config];
  if (values['print-unit']) {
    process.stdout.write(agentUnit({ config: await readAgentConfig(config), start }));
    return 0;
  }
  await untilSignal((signal) =>
    values.supervise
      ? supervise({ words: start, clock: systemClock, log: stdoutLog() }, signal)
      : runAgent(config, signal),
  );
  return 0;
}

/** Works until SIGTERM or SIGINT. */
async function untilSignal(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  process.once('SIGTERM', abort).once('SIGINT', abort);
  await work(stop.signal);
}
