import { readBytes } from '../../util/files.ts';
import { type AgentConfig, parseConfig } from './config.ts';
import { jsonLog } from './log.ts';
import { DeviceService } from './service.ts';
import { keepTelling, systemdSupervisor } from './supervision.ts';

/** @throws EigenError EW1002_FILE_NOT_FOUND, EW1005_CONFIG_INVALID. */
export async function readAgentConfig(file: string): Promise<AgentConfig> {
  return parseConfig(new TextDecoder().decode(await readBytes(file)), file);
}

/** Runs the agent of a device in this process, with logs on stdout, until `signal` is aborted. SIGHUP makes it look at what is assigned. */
export async function runAgent(config: AgentConfig, signal: AbortSignal): Promise<void> {
  const log = jsonLog(
    (line) => process.stdout.write(line),
    () => Date.now(),
  );
  const service = await DeviceService.start(config, { log });
  const exchange = (): void => service.exchange();
  process.on('SIGHUP', exchange);
  const supervisor = systemdSupervisor(process.env);
  const stopTelling = supervisor && keepTelling(supervisor);
  try {
    await service.run(signal);
  } finally {
    stopTelling?.();
    process.off('SIGHUP', exchange);
  }
}
