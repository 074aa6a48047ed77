import { EigenError } from '../../util/errors.ts';
import { nearest } from '../../util/nearest.ts';
import { defineCommand } from '../command.ts';
import { EXPLANATIONS, type Explanation } from '../explain.ts';
import { table } from '../format.ts';

export const explain = defineCommand({
  examples: ['eigenweights explain EW3102_OP_UNSUPPORTED', 'eigenweights explain EW4001', 'eigenweights explain'],
  args: [{ name: 'CODE', help: 'a code, whole or up to its underscore; none lists all', optional: true }],
  flags: {},
  async run({ args }) {
    const [wanted] = args;
    if (wanted === undefined) {
      const rows = Object.entries(EXPLANATIONS).map(([code, e]) => [code, e.meaning]);
      return { data: EXPLANATIONS, text: table(rows) };
    }
    const [code, e] = find(wanted);
    const text = `${code}  (exit code ${new EigenError(code, '').exitCode})\n${e.meaning}\n\nCauses: ${e.causes}\nWhat to do: ${e.remedy}`;
    return { data: { code, ...e }, text };
  },
});

function find(wanted: string): [keyof typeof EXPLANATIONS, Explanation] {
  const codes = Object.keys(EXPLANATIONS) as (keyof typeof EXPLANATIONS)[];
  const upper = wanted.toUpperCase();
  const code = codes.find((c) => c === upper || c.split('_')[0] === upper);
  if (code) return [code, EXPLANATIONS[code]];
  const guess =
    nearest(upper, codes) ??
    nearest(
      upper,
      codes.map((c) => c.split('_')[0]!),
    );
  throw new EigenError('EW1001_USAGE', `explain: no error code ${wanted}`, {
    hint: guess ? `did you mean ${guess}?` : 'eigenweights explain lists all codes',
  });
}
