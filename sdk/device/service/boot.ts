import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { EigenError } from '../../util/errors.ts';
import { makeFolder } from '../../util/folders.ts';
import { NodeDeviceFileSystem } from '../fs/node.ts';
import { type SlotContent, Slots } from '../store/slots.ts';
import { lockFolder } from './lock.ts';

/** Where in the state folder agents are. */
export const AGENT_STORE = { slots: 'agent', journal: 'agent.journal' } as const;

/**
 * What an agent is started with, by an agent that is possibly older or newer: this only grows. `contract` counts changes that an agent
 * cannot do without.
 */
export interface Launch {
  readonly contract: 1;
  readonly configFile: string;
  /** Ends the agent. */
  readonly signal: AbortSignal;
  /** What of the slots runs; absent for the agent that is installed on the device. */
  readonly running?: SlotContent;
  /** Gives the state folder back. */
  unlock(): Promise<void>;
}

/** How an agent ended: because it was told to, or to be started again in another version. */
export type Ended = 'stopped' | 'restart';

/** What a file with an agent in it exports. */
export interface AgentModule {
  startAgent(launch: Launch): Promise<Ended>;
}

/**
 * Starts the agent that is to run: the one in the active slot, or `installed` where there is none or it cannot be loaded. Every start
 * of an agent on probation is counted before it is loaded; one that ends too often before it was found healthy is not started again.
 */
export async function bootAgent(
  configFile: string,
  configText: string,
  signal: AbortSignal,
  installed: AgentModule,
): Promise<Ended> {
  const state = stateFolder(configFile, configText);
  await makeFolder(state, 0o700);
  const unlock = await lockFolder(state);
  try {
    const { module, running } = (await slotAgent(state)) ?? { module: installed };
    const launch: Launch = { contract: 1, configFile, signal, unlock, ...(running ? { running } : {}) };
    return await module.startAgent(launch);
  } finally {
    await unlock();
  }
}

interface Loaded {
  readonly module: AgentModule;
  readonly running?: SlotContent;
}

/** The agent of the slots; undefined where there is none that can be loaded. */
async function slotAgent(state: string): Promise<Loaded | undefined> {
  const slots = await Slots.open(new NodeDeviceFileSystem(state), AGENT_STORE.slots);
  const { content } = await slots.recover();
  if (!content) return undefined;
  const first = load(state, content);
  if (!(first instanceof Error)) return first;
  if (!slots.state.trial) return undefined;
  await slots.rollBack(`it cannot be loaded: ${first.message}`);
  const before = slots.active && load(state, slots.active);
  return before instanceof Error ? undefined : before;
}

function load(state: string, running: SlotContent): Loaded | Error {
  try {
    const file = join(state, AGENT_STORE.slots, 'blobs', running.sha256);
    const module = createRequire(file)(file) as Partial<AgentModule>;
    if (typeof module.startAgent !== 'function') return new Error('it is no agent');
    return { module: module as AgentModule, running };
  } catch (e) {
    return e instanceof Error ? e : new Error(String(e));
  }
}

/** Nothing else of the configuration is looked at: it is written for the agent that will run. */
function stateFolder(file: string, text: string): string {
  const state = stateOf(text);
  if (state === undefined)
    throw new EigenError('EW1005_CONFIG_INVALID', `${file}: state: must be a path`, {
      hint: 'See the README, "The agent of a device".',
      details: { file },
    });
  return resolve(dirname(resolve(file)), state);
}

function stateOf(text: string): string | undefined {
  try {
    const { state } = JSON.parse(text) as { state?: unknown };
    return typeof state === 'string' && state !== '' ? state : undefined;
  } catch {
    return undefined;
  }
}
