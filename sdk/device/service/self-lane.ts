import { Agent } from '../agent/agent.ts';
import type { SlotContent } from '../store/slots.ts';
import { agentLoader } from './agent-loader.ts';
import { AGENT_STORE } from './boot.ts';
import { type Context, commonParts, loopOf } from './context.ts';
import type { Loop } from './loop.ts';

/** What of the agent's own slots runs, and where its configuration is. */
export interface Self {
  readonly configFile: string;
  readonly running?: SlotContent;
}

/**
 * The agent, kept up to date by itself. A new one is fetched and checked like a model, and runs from the next start on: `outdated` is
 * called when that is due. It stays if by the end of its probation it has reached whoever assigns; if not, the one before comes back.
 */
export async function startSelfLane(context: Context, self: Self, outdated: () => void): Promise<Loop> {
  const agent = await Agent.start(
    {
      ...commonParts(context, 'agent'),
      store: AGENT_STORE,
      loader: agentLoader(context.config.state, self.configFile),
      health: async ({ milliseconds, of }) =>
        loop.reached || milliseconds < of ? undefined : `it reached nobody who assigns in ${of} ms`,
    },
    self.running ? { content: self.running } : {},
  );
  const loop: Loop = loopOf(context, 'agent', agent);
  agent.host.onSwap(outdated);
  return loop;
}
