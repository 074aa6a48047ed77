import { Agent } from '../agent/agent.ts';
import type { SlotContent } from '../store/slots.ts';
import { agentLoader } from './agent-loader.ts';
import { AGENT_STORE } from './boot.ts';
import { type Context, commonParts } from './context.ts';
import { type Director, Loop } from './loop.ts';

/** What of the agent's own slots runs, and where its configuration is. */
export interface Self {
  readonly configFile: string;
  readonly running?: SlotContent;
}

/**
 * The agent, kept up to date by itself. A new one is fetched and checked like a model, and runs from the next start on: `outdated` is
 * called when that is due. It stays if by the end of its probation it has reached whoever assigns; if not, the one before comes back.
 */
export async function startSelfLane(
  context: Context,
  director: Director,
  self: Self,
  outdated: () => void,
): Promise<Loop> {
  const { config, clock, log, random } = context;
  const agent = await Agent.start(
    {
      ...commonParts(context, 'agent'),
      store: AGENT_STORE,
      loader: agentLoader(config.state, self.configFile),
      health: async ({ milliseconds, of }) =>
        loop.reached || milliseconds < of ? undefined : `it reached nobody who assigns in ${of} ms`,
    },
    self.running ? { content: self.running } : {},
  );
  const exchangeMilliseconds = config.exchangeSeconds * 1000;
  const loop: Loop = new Loop({ kind: 'agent', agent, director, clock, log, random, exchangeMilliseconds });
  agent.host.onSwap(outdated);
  return loop;
}
