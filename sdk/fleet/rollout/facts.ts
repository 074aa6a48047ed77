import type { RolloutSpec } from './spec.ts';

/** What is known of a device: as it said itself, as it was registered, and as it was last measured. */
export interface DeviceFacts {
  readonly device: string;
  readonly board: string;
  /** Version of its agent. */
  readonly agent?: string;
  /** SHA-256 of its measured profile. */
  readonly profile?: string;
  /** SHA-256 of its agent, where that came by an update. */
  readonly self?: string;
  /** SHA-256 of the bundle that serves. */
  readonly running?: string;
  readonly online: boolean;
  readonly tags: Readonly<Record<string, string>>;
  /** Of the model that runs: the time that 95 of 100 inferences take at most, milliseconds. */
  readonly p95?: number;
  /** Of the model that runs: weights, activations and scratch, bytes. */
  readonly memory?: number;
}

/** SHA-256 of what a device has of the kind that a rollout brings. */
export function runningOf({ kind }: Pick<RolloutSpec, 'kind'>, facts: DeviceFacts): string | undefined {
  return kind === 'agent' ? facts.self : facts.running;
}
