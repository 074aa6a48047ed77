import { Agent } from '../agent/agent.ts';
import { bundleLoader } from '../agent/bundle-loader.ts';
import { commandProblem } from './conditions.ts';
import { type Context, commonParts } from './context.ts';
import { type Director, Loop } from './loop.ts';
import { Monitor } from './monitor.ts';

/** The model of a device, kept up to date. */
export interface ModelLane {
  readonly agent: Agent;
  readonly monitor: Monitor;
  readonly loop: Loop;
}

/** Starts the model that is installed. */
export async function startModelLane(context: Context, director: Director): Promise<ModelLane> {
  const { config, clock, hooks, log, random } = context;
  const { health } = config;
  let monitor: Monitor | undefined;
  const agent = await Agent.start({
    ...commonParts(context, 'model'),
    loader: bundleLoader({ threads: config.threads }),
    health: async () => monitor?.problem(health) ?? (health.command && commandProblem(health.command, hooks)),
  });
  monitor = new Monitor(agent.host, {
    residentBytes: () => process.memoryUsage.rss(),
    monotonic: () => clock.monotonic(),
  });
  log('info', 'serving', { model: agent.host.serving });
  agent.host.onSwap(() => log('info', 'serving', { model: agent.host.serving }));
  const exchangeMilliseconds = config.exchangeSeconds * 1000;
  const loop = new Loop({ kind: 'model', agent, director, clock, log, random, exchangeMilliseconds });
  return { agent, monitor, loop };
}
