import type { Clock } from '../../util/clock.ts';
import type { Assignment } from '../../wire/assignment.ts';
import type { Taken } from '../agent/agent.ts';
import type { PieceSource } from '../agent/fetch.ts';
import type { Outcome } from '../agent/ledger.ts';
import type { InstallStep } from '../agent/planner.ts';
import type { ModelHealth } from './monitor.ts';

/** What is kept up to date. */
export type Kind = 'model' | 'agent';

/** Tells what a device is to run. */
export interface Director {
  /** What is assigned at present; undefined where nothing is. Where it throws, what was assigned before counts. */
  assignment(): Promise<Assignment | undefined>;
}

/** What a device says about itself. */
export interface Facts {
  /** SHA-256 of the blob of the model that runs. */
  readonly running?: string;
  /** And of all that are installed. */
  readonly installed: readonly string[];
  readonly modelBytes?: number;
  /** SHA-256 of the agent that runs, where it came by an update. */
  readonly self?: string;
}

/** Where a device gets from what it is to run, and whom it tells what became of it. */
export interface Upstream {
  readonly directors: Readonly<Record<Kind, Director>>;
  readonly source: PieceSource;
  /** By which assignments expire. */
  readonly clock: Clock;
  /** Hears that something else may be assigned. */
  onChange(listener: () => void): void;
  /** A step of an installation begins. */
  begun(kind: Kind, step: InstallStep): void;
  /** A step was taken. */
  taken(kind: Kind, taken: Taken): void;
  /** Throws where it cannot be told now: it is told again later. */
  report(kind: Kind, outcome: Outcome): Promise<void>;
  /** How the model that runs has done since this was called last. */
  health(health: ModelHealth): Promise<void>;
  close(): Promise<void>;
}
