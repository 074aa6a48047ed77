import { resolve } from 'node:path';
import { agentUnit, readAgentConfig, runAgent } from '../../index.ts';
import { type Answer, defineCommand, requiredFlag, switchFlag } from '../command.ts';
import { pathIn, readText } from '../values.ts';

export const agent = defineCommand({
  name: 'agent',
  summary: 'Run on a device: keep its model up to date and serve it to applications',
  examples: [
    'eigenweights agent --config /etc/eigenweights/agent.json',
    'eigenweights agent --config agent.json --print-unit > /etc/systemd/system/eigenweights.service',
  ],
  args: [],
  flags: {
    config: requiredFlag('FILE', 'the configuration, JSON', readText, 'c'),
    'print-unit': switchFlag('print a systemd unit that runs it, and end'),
  },
  async run({ flags }, context): Promise<Answer> {
    const file = pathIn(context.cwd, flags.config);
    const config = await readAgentConfig(file);
    if (flags['print-unit']) {
      const start = [process.execPath, resolve(process.argv[1]!), 'agent', '--config', file];
      const unit = agentUnit({ config, start });
      return { data: { unit }, text: unit.trimEnd() };
    }
    if (context.dryRun) return { data: { config }, text: `would run the agent of ${config.device}` };
    context.leaves('what was fetched is kept');
    await runAgent(file, context.signal);
    return { data: { device: config.device }, text: '' };
  },
});
