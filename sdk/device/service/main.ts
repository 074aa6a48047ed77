import { readBytes } from '../../util/files.ts';
import { type AgentModule, bootAgent, type Ended, type Launch } from './boot.ts';
import { type AgentConfig, parseConfig } from './config.ts';
import { jsonLog, type Log } from './log.ts';
import { DeviceService } from './service.ts';
import { parentSupervisor } from './supervise.ts';
import { keepTelling, systemdSupervisor } from './supervision.ts';

/** @throws EigenError EW1002_FILE_NOT_FOUND, EW1005_CONFIG_INVALID. */
export async function readAgentConfig(file: string): Promise<AgentConfig> {
  return parseConfig(await textOf(file), file);
}

/**
 * Runs the agent of a device until `signal` is aborted, or it is to be started again in another version: the one that it was updated
 * to, or this one.
 */
export async function runAgent(configFile: string, signal: AbortSignal): Promise<Ended> {
  return bootAgent(configFile, await textOf(configFile), signal, { startAgent });
}

/** This version of the agent, with logs on stdout. SIGHUP makes it look at what is assigned. */
export const startAgent: AgentModule['startAgent'] = async ({ configFile, signal, running, unlock }: Launch) => {
  const config = await readAgentConfig(configFile);
  const service = await DeviceService.start(config, {
    log: stdoutLog(),
    self: { configFile, ...(running ? { running } : {}) },
  });
  const exchange = (): void => service.exchange();
  process.on('SIGHUP', exchange);
  const parent = parentSupervisor();
  const supervisor = parent ?? systemdSupervisor(process.env);
  const stopTelling = supervisor && keepTelling(supervisor);
  // Whoever starts the parent again finds the state folder free.
  const orphaned = new AbortController();
  const orphan = (): void => orphaned.abort();
  if (parent) process.on('disconnect', orphan);
  try {
    return await service.run(AbortSignal.any([signal, orphaned.signal]));
  } finally {
    stopTelling?.();
    process.off('SIGHUP', exchange).off('disconnect', orphan);
    await unlock();
  }
};

export function stdoutLog(): Log {
  return jsonLog(
    (line) => process.stdout.write(line),
    () => Date.now(),
  );
}

async function textOf(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}
