import { diagnose } from '../../app/doctor.ts';
import { EigenError } from '../../util/errors.ts';
import { type Answer, defineCommand } from '../command.ts';
import { table } from '../format.ts';

export const doctor = defineCommand({
  examples: ['eigenweights doctor', 'eigenweights doctor --json'],
  args: [],
  flags: {},
  async run(_, context): Promise<Answer> {
    const findings = await diagnose(context.env);
    const text = table(findings.map((f) => [f.status, f.name, f.remedy ? `${f.found}; ${f.remedy}` : f.found]));
    const missing = findings.filter((f) => f.status === 'missing');
    if (missing.length === 0) return { data: { findings }, text };
    const message = `missing: ${missing.map((f) => f.name).join(', ')}`;
    return {
      data: { findings },
      text,
      verdict: new EigenError('EW5001_TOOL_MISSING', message, { details: { missing: missing.map((f) => f.name) } }),
    };
  },
});
