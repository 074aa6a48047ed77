import type { Cuts } from './cohorts.ts';
import type { Comparison } from './compare.ts';
import type { DeviceFacts } from './facts.ts';
import type { HealthChange } from './health.ts';
import type { RolloutSpec } from './spec.ts';

/**
 * DRAFT, APPROVED where that is asked for, CANARY, WAVE one by one, DONE. From the waves PAUSED and back; from all of these, and from DONE,
 * ABORTING, which ends as FAILED where a gate wanted it and as ABORTED where a person did.
 */
export const PHASES = [
  'DRAFT',
  'APPROVED',
  'CANARY',
  'WAVE',
  'PAUSED',
  'ABORTING',
  'DONE',
  'FAILED',
  'ABORTED',
] as const;
export type Phase = (typeof PHASES)[number];

/** What happens to devices that have the bundle when a rollout is aborted: they go back to what they had, or keep it. */
export type AbortHow = 'revert' | 'leave';

export interface Rollout {
  readonly id: string;
  readonly spec: RolloutSpec;
  readonly phase: Phase;
  /** In work, or where it stopped; the canary is 0, and after the last come those that were held back. */
  readonly wave: number;
  /** Counts changes of the phase: each is decided once. */
  readonly turn: number;
  /** Milliseconds since 1970, as all times here. */
  readonly started?: number;
  /** When it was done. Devices that come later are still its own: see `linger` in decide.ts. */
  readonly ended?: number;
  readonly cuts?: Cuts;
  readonly waveStarted?: number;
  /** Since when the wave has what it needs, and is watched. */
  readonly soaking?: number;
  /** How often the metrics of the wave were looked at. */
  readonly looks: number;
  /** Of the last look. */
  readonly comparisons?: readonly Comparison[];
  /** Why it is paused, aborting or has ended. */
  readonly reason?: string;
  readonly aborting?: { readonly how: AbortHow; readonly to: 'FAILED' | 'ABORTED'; readonly since: number };
}

export const MEMBER_STATES = [
  /** Not told yet, or waiting for another try. */
  'WAITING',
  'OFFERED',
  'COMMITTED',
  'FAILED',
  /** Was there, was told, and never said how it went. */
  'STALLED',
  /** No bundle of the release is for it. */
  'SKIPPED',
  'REVERTING',
  'REVERTED',
] as const;
export type MemberState = (typeof MEMBER_STATES)[number];

/** A device in a rollout. */
export interface Member {
  readonly device: string;
  /** That it is in; `waves.length` for those that are held back. */
  readonly wave: number;
  /** Came when the rollout had begun: its wave does not wait for it. */
  readonly late: boolean;
  readonly state: MemberState;
  /** What it was last told is to be what it was. */
  readonly undone: boolean;
  /** How often it was told something. */
  readonly attempt: number;
  /** Tries that failed for reasons that may pass. */
  readonly failures: number;
  /** Bundle that it was told to install. */
  readonly target?: string;
  /** What it ran when it was first told. */
  readonly previous?: string;
  /** Bundles that its gate turned down. */
  readonly refused: readonly string[];
  readonly offered?: number;
  /** When it was first there after it was told. */
  readonly contacted?: number;
  /** Before it there is no other try. */
  readonly notBefore?: number;
  readonly code?: string;
  /** Why it failed, in the words of the device. */
  readonly reason?: string;
}

/** What became of telling a device what it is to be. */
export interface Told {
  /** Key of the decision. */
  readonly key: string;
  readonly state: 'pending' | 'delivered' | 'committed' | 'rolled-back' | 'refused' | 'failed' | 'stalled';
  readonly code?: string;
  readonly reason?: string;
}

/** All that decisions about a device are made from. */
export interface DeviceView {
  readonly facts: DeviceFacts;
  readonly lastSeen: number;
  /** Its part in this rollout. */
  readonly member?: Member;
  /** What it was last told, by whomever. */
  readonly told?: Told;
  /** Another rollout has it; or it was, after this one was done, told something by a later rollout or a person. */
  readonly taken?: boolean;
  /** Present when metrics are to be looked at. */
  readonly health?: HealthChange;
}

export type Decision =
  | { readonly kind: 'join'; readonly device: string; readonly wave: number; readonly late: boolean }
  | {
      readonly kind: 'offer';
      readonly device: string;
      readonly attempt: number;
      readonly target: string;
      readonly at: number;
      readonly present: boolean;
      readonly previous?: string;
    }
  | { readonly kind: 'contact'; readonly device: string; readonly attempt: number; readonly at: number }
  | {
      readonly kind: 'outcome';
      readonly device: string;
      readonly attempt: number;
      readonly state: MemberState;
      readonly code?: string;
      readonly reason?: string;
      readonly refused?: string;
      readonly failed?: boolean;
      readonly notBefore?: number;
    }
  /** Back to `target`, or to nothing that is wanted where it had none. */
  | {
      readonly kind: 'revert';
      readonly device: string;
      readonly attempt: number;
      readonly at: number;
      readonly target?: string;
    }
  | { readonly kind: 'soak'; readonly turn: number; readonly at: number }
  | { readonly kind: 'look'; readonly turn: number; readonly look: number; readonly comparisons: readonly Comparison[] }
  | {
      readonly kind: 'phase';
      readonly turn: number;
      readonly phase: Phase;
      readonly wave: number;
      readonly at: number;
      readonly reason?: string;
      readonly cuts?: Cuts;
      readonly aborting?: Rollout['aborting'];
    };

/** Names a decision within its rollout: one that was taken is not taken again, whoever comes to it and how often. */
export function keyOf(decision: Decision): string {
  switch (decision.kind) {
    case 'join':
      return `join/${decision.device}`;
    case 'offer':
    case 'revert':
      // One or the other: what a device is told is numbered.
      return tellKey(decision);
    case 'contact':
      return `contact/${decision.device}/${decision.attempt}`;
    case 'outcome':
      // Who was given up may yet say how it went.
      return `outcome/${decision.device}/${decision.attempt}/${decision.state}`;
    case 'soak':
      return `soak/${decision.turn}`;
    case 'look':
      return `look/${decision.turn}/${decision.look}`;
    case 'phase':
      return `phase/${decision.turn}`;
    default:
      return decision satisfies never;
  }
}

/** The key of what a member was last told. */
export function tellKey({ device, attempt }: Pick<Member, 'device' | 'attempt'>): string {
  return `tell/${device}/${attempt}`;
}

export function isActive(phase: Phase): boolean {
  return phase === 'CANARY' || phase === 'WAVE' || phase === 'PAUSED' || phase === 'ABORTING';
}

/** Nothing is decided any more but what becomes of devices that are late. */
export function isOver(phase: Phase): boolean {
  return phase === 'DONE' || phase === 'FAILED' || phase === 'ABORTED';
}

/** What the canary, the waves and those that were held back are called. */
export function waveName(spec: RolloutSpec, wave: number): string {
  if (wave === 0) return 'canary';
  return wave === spec.waves.length ? 'held back' : `wave ${wave}`;
}
