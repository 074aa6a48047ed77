import { resolve } from 'node:path';
import { enrolDevice } from '../../device/service/enrol.ts';
import { readAgentConfig, runAgent } from '../../device/service/main.ts';
import { agentUnit } from '../../device/service/unit.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, defineCommand, requiredFlag, switchFlag, valueFlag } from '../command.ts';
import { pathIn, readText } from '../values.ts';

export const agent = defineCommand({
  examples: [
    'eigenweights agent --config /etc/eigenweights/agent.json',
    'eigenweights agent --config agent.json --enrol https://fleet:8470 --token-file token',
    'eigenweights agent --config agent.json --print-unit > /etc/systemd/system/eigenweights.service',
  ],
  args: [],
  flags: {
    config: requiredFlag('FILE', 'the configuration, JSON', readText, 'c'),
    'print-unit': switchFlag('print a systemd unit that runs it, and end'),
    enrol: valueFlag('URL', 'exchange a one-time token at this controller for credentials, and end', readText),
    'token-file': valueFlag('FILE', 'the token, made by eigenweights enrol', readText),
  },
  async run({ flags }, context): Promise<Answer> {
    const file = pathIn(context.cwd, flags.config);
    const config = await readAgentConfig(file);
    if (flags['print-unit']) {
      const start = [process.execPath, resolve(process.argv[1]!), 'agent', '--config', file];
      const unit = agentUnit({ config, start });
      return { data: { unit }, text: unit.trimEnd() };
    }
    if (flags.enrol !== undefined) {
      const wrote = await enrolDevice({ config, url: flags.enrol, tokenFile: tokenFile(flags, context.cwd) });
      return { data: { device: config.device, wrote }, text: wrote.map((path) => `wrote ${path}`).join('\n') };
    }
    if (context.dryRun) return { data: { config }, text: `would run the agent of ${config.device}` };
    context.leaves('what was fetched is kept');
    await runAgent(file, context.signal);
    return { data: { device: config.device }, text: '' };
  },
});

function tokenFile(flags: { readonly 'token-file': string | undefined }, cwd: string): string {
  const file = flags['token-file'];
  if (file !== undefined) return pathIn(cwd, file);
  throw new EigenError('EW1001_USAGE', 'agent: --enrol needs --token-file FILE');
}
