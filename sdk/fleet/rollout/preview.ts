import { cohortOf, cutsOf } from './cohorts.ts';
import { FEWEST } from './compare.ts';
import { wilson } from './distributions.ts';
import { type DeviceFacts, runningOf } from './facts.ts';
import { percent } from './gate.ts';
import type { RolloutSpec } from './spec.ts';
import { waveName } from './state.ts';
import { variantFor } from './variants.ts';

/** Who would get what when, if a rollout was started now. */
export interface Preview {
  readonly waves: readonly PreviewWave[];
  /** What would go wrong, or not as one may think. */
  readonly warnings: readonly string[];
}

export interface PreviewWave {
  /** canary, wave 1, ..., held back. */
  readonly name: string;
  readonly devices: readonly PreviewDevice[];
}

export interface PreviewDevice {
  readonly device: string;
  readonly board: string;
  readonly online: boolean;
  readonly running?: string;
  /** SHA-256 of the bundle that it would get. */
  readonly bundle: string;
}

/** @param taken devices that the query finds too, and another rollout has. */
export function previewOf(spec: RolloutSpec, found: readonly DeviceFacts[], taken: readonly DeviceFacts[]): Preview {
  const served = found.flatMap((facts) => deviceOf(spec, facts));
  const without = found.filter((facts) => variantFor(spec, facts) === undefined);
  const cuts = cutsOf(
    spec,
    served.map((d) => d.device),
  );
  const groups = Array.from({ length: spec.waves.length + 1 }, (): PreviewDevice[] => []);
  for (const device of served) {
    const cohort = cohortOf(cuts, spec.seed, device.device, false);
    groups['control' in cohort ? spec.waves.length : cohort.wave]!.push(device);
  }
  const waves = groups.map((group, i) => ({ name: waveName(spec, i), devices: group }));
  const shown = spec.control ? waves : waves.slice(0, -1);
  const unsaid = spec.kind === 'agent' ? served.filter((d) => d.running === undefined).length : 0;
  return { waves: shown, warnings: warningsOf(spec, groups, { without, taken: taken.length, unsaid }) };
}

/** None where no bundle is for it. */
function deviceOf(spec: RolloutSpec, facts: DeviceFacts): PreviewDevice[] {
  const { device, board, online } = facts;
  const running = runningOf(spec, facts);
  const bundle = variantFor(spec, facts)?.sha256;
  return bundle === undefined ? [] : [{ device, board, online, ...(running ? { running } : {}), bundle }];
}

function warningsOf(
  spec: RolloutSpec,
  groups: readonly (readonly PreviewDevice[])[],
  {
    without,
    taken,
    unsaid,
  }: { readonly without: readonly DeviceFacts[]; readonly taken: number; readonly unsaid: number },
): string[] {
  const { success, metrics, absent, minExecuted } = spec.gate;
  const canary = groups[0]!;
  const held = groups.at(-1)!;
  const boards = [...new Set(without.map((d) => d.board))].join(', ');
  const { low } = wilson(canary.length, canary.length, success.confidence);
  const away = canary.filter((d) => !d.online).length;
  const few = Math.min(canary.length, held.length);
  const said: (string | false)[] = [
    groups.flat().length === 0 && 'the query finds no device that a bundle is for',
    taken > 0 && `${taken} devices are in another rollout and join when that has ended`,
    without.length > 0 && `no bundle is for ${without.length} devices (${boards}); they are left out`,
    canary.length > 0 &&
      low < success.least &&
      `the canary cannot pass: if all of its ${canary.length} devices succeed, ${percent(low)} are shown, ${percent(success.least)} must be`,
    metrics.length > 0 &&
      few < FEWEST &&
      `metrics cannot be compared: ${canary.length} devices in the canary and ${held.length} held back, ${FEWEST} each are the least`,
    unsaid > 0 && `${unsaid} devices do not say which agent they run: a rollback leaves them the new one`,
    away > absent * canary.length && `${away} of ${canary.length} devices of the canary are away: it waits for them`,
    minExecuted > canary.length &&
      `the canary has ${canary.length} devices, not ${minExecuted}: all of them must have tried it`,
  ];
  return said.filter((text) => text !== false);
}
