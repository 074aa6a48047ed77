import { Agent } from '../agent/agent.ts';
import { bundleLoader } from '../agent/bundle-loader.ts';
import { commandProblem, temperatureOf } from './conditions.ts';
import { type Context, commonParts, loopOf } from './context.ts';
import type { Loop } from './loop.ts';
import { Monitor } from './monitor.ts';

/** The model of a device, kept up to date. */
export interface ModelLane {
  readonly agent: Agent;
  readonly monitor: Monitor;
  readonly loop: Loop;
}

/** Starts the model that is installed. */
export async function startModelLane(context: Context): Promise<ModelLane> {
  const { config, upstream, hooks, log } = context;
  const { health } = config;
  let monitor: Monitor | undefined;
  const agent = await Agent.start({
    ...commonParts(context, 'model'),
    loader: bundleLoader({ threads: config.threads }),
    health: async () => monitor?.problem(health) ?? (health.command && commandProblem(health.command, hooks)),
  });
  const own = new Monitor(agent.host, {
    residentBytes: () => process.memoryUsage.rss(),
    monotonic: () => upstream.clock.monotonic(),
  });
  monitor = own;
  log('info', 'serving', { model: agent.host.serving });
  agent.host.onSwap(() => log('info', 'serving', { model: agent.host.serving }));
  const tellHealth = async (): Promise<void> => {
    const temperature = await temperatureOf(hooks);
    await upstream.health({ ...own.take(), ...(temperature === undefined ? {} : { temperature }) });
  };
  return { agent, monitor: own, loop: loopOf(context, 'model', agent, tellHealth) };
}
