import type { ProfileRow } from '../../sdk/app/profile-bundle.ts';
import type { Runtime } from './contestants.ts';

/** What a child is to run. */
export interface OpenMessage {
  readonly type: 'open';
  /** `control` is the arithmetic of control.ts, whose one path is empty. */
  readonly runtime: Runtime | 'control';
  /** Bundle or ONNX file; of several forms of a model, the fastest is the one that counts. */
  readonly paths: readonly string[];
  /** How the original's open ends are tied, for runtimes that it is translated for. */
  readonly dims?: Readonly<Record<string, number>>;
  readonly set?: Readonly<Record<string, number>>;
  /** .npz with the inputs of one run. */
  readonly inputs: string;
  /** Where its outputs go, .npz. */
  readonly outputs: string;
  /** Ours. */
  readonly engine?: string;
  /** Ours; 1 by default. Others always have one. */
  readonly threads?: number;
  /** Ours: node whose kernel turns may be about. */
  readonly layer?: string;
  /** Folder whose node_modules hold the runtime; beside this package by default. */
  readonly from?: string;
  /** Library to load first, by which the process sees a processor with AVX2 alone. */
  readonly shim?: string;
}

export interface Opened {
  readonly detail: string;
  /** Hash of the outputs. */
  readonly digest: string;
}

/** One turn of a round. */
export interface TurnMessage {
  readonly type: 'turn';
  /** Inferences are repeated until this has passed. */
  readonly ms: number;
  /** Whether the layer is timed that the model was opened with, within its runs. */
  readonly layer?: boolean;
  /** Processor that the thread stays on; any where absent. */
  readonly processor?: number | undefined;
}

/** Seconds. */
export interface Turn {
  /** Of one inference, or of the layer in it. */
  readonly seconds: number;
  /** Of a fixed piece of arithmetic, the slower of before and after the turn. */
  readonly calibration: number;
  /** Processor time of this process by time on the clock: below 1 when something else had the core. */
  readonly share: number;
}

/** Times the arithmetic of calibrations on every processor. */
export interface GaugeMessage {
  readonly type: 'gauge';
}

/** Seconds of it on a processor. */
export interface Gauge {
  readonly processor: number;
  readonly seconds: number;
}

/** Times every layer; ours only. */
export interface ProfileMessage {
  readonly type: 'profile';
}

export interface CloseMessage {
  readonly type: 'close';
}

export type Message = OpenMessage | TurnMessage | GaugeMessage | ProfileMessage | CloseMessage;

export type Answer<M extends Message> = M extends OpenMessage
  ? Opened
  : M extends TurnMessage
    ? Turn
    : M extends GaugeMessage
      ? readonly Gauge[]
      : M extends ProfileMessage
        ? readonly ProfileRow[]
        : null;

export type Reply =
  | { readonly ok: Opened | Turn | readonly Gauge[] | readonly ProfileRow[] | null }
  | { readonly error: string };
