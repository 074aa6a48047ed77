import { type DemoResult, memoryShare } from './result.ts';

/** Something the demo has to show, and whether it did. */
export interface Claim {
  readonly name: string;
  readonly required: string;
  readonly measured: string;
  readonly holds: boolean;
  /** A goal is reported, but missing it is no failure. */
  readonly goal: boolean;
}

export const REQUIRED = { lines: 500, payloadRatio: 8, character: 0.995, line: 0.985, speedup: 2.3 } as const;
export const MEMORY_GOAL = 0.14;

export const percent = (v: number, digits = 2): string => `${(100 * v).toFixed(digits)} %`;

/** The claims in the order of the table. Values on the limit hold. */
export function claimsOf(result: DemoResult): Claim[] {
  const { sizes, accuracy, latency } = result;
  const ratio = sizes.originalWeights / sizes.payload.bytes;
  const memory = memoryShare(sizes);
  const { character, line } = accuracy.retention;
  const must = (name: string, required: string, measured: string, holds: boolean): Claim => ({
    name,
    required,
    measured,
    holds,
    goal: false,
  });
  return [
    must('held-out lines', `at least ${REQUIRED.lines}`, String(accuracy.lines), accuracy.lines >= REQUIRED.lines),
    must(
      'weight payload',
      `at most 1/${REQUIRED.payloadRatio} of the original's`,
      `1/${ratio.toFixed(3)}`,
      ratio >= REQUIRED.payloadRatio,
    ),
    must(
      'character accuracy kept',
      `at least ${percent(REQUIRED.character, 1)}`,
      percent(character.value),
      character.value >= REQUIRED.character,
    ),
    must(
      'line accuracy kept',
      `at least ${percent(REQUIRED.line, 1)}`,
      percent(line.value),
      line.value >= REQUIRED.line,
    ),
    must(
      'speed at one thread',
      `at least ${REQUIRED.speedup}x`,
      `${latency.speedup.value.toFixed(2)}x`,
      latency.speedup.value >= REQUIRED.speedup,
    ),
    {
      name: 'peak memory',
      required: `goal ${percent(MEMORY_GOAL, 0)}`,
      measured: memoryText(memory),
      holds: memory <= MEMORY_GOAL,
      goal: true,
    },
  ];
}

function memoryText(share: number): string {
  const points = 100 * (share - MEMORY_GOAL);
  return `${percent(share, 1)}${points > 0 ? `, ${points.toFixed(1)} points above the goal` : ''}`;
}
