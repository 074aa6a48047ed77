import { log8Ceil, scaleFromLog8 } from '../util/log8.ts';
import type { Tensor } from '../util/tensor.ts';
import type { Layer } from './layers.ts';
import type { Decoding } from './rows.ts';
import type { Storage } from './storage.ts';

/** How a layer's input is quantized. */
export type ActivationPlan =
  | { readonly mode: 'none' }
  /** One scale a row, found at run time (dynquantize). */
  | { readonly mode: 'dynamic' }
  | StaticActivation;

export interface StaticActivation {
  readonly mode: 'static';
  readonly bits: 8 | 16;
  /** Codes a unit, f32: one, or one a channel, then inv[c] = scaleFromLog8(base, exponents[c]). */
  readonly inv: Float32Array;
  readonly base: number;
  readonly exponents: readonly number[] | undefined;
  /** One, also for scales a channel where all are equal, or one a channel. */
  readonly zp: Int32Array;
  /** Codes beyond it are cut off, and kernels may rely on that. */
  readonly limit?: number;
}

/** How the input of every layer is quantized, and every value that is stored as codes for other readers as well. */
export class Activations extends Map<Layer, ActivationPlan> {
  readonly stored = new Map<string, StaticActivation>();
  /** What has 16 bits and the divergence that 8 would cost, best worth it first. */
  readonly wide: readonly StorageCost[];

  constructor(wide: readonly StorageCost[]) {
    super();
    this.wide = wide;
  }
}

export interface StorageCost {
  readonly storage: Storage;
  readonly cost: number;
}

/** Smallest and largest value seen, per channel of the last axis. */
export class Ranges {
  readonly low: Float32Array;
  readonly high: Float32Array;
  private readonly nonzero: Float64Array;
  private rows = 0;

  constructor(channels: number) {
    this.low = new Float32Array(channels);
    this.high = new Float32Array(channels);
    this.nonzero = new Float64Array(channels);
  }

  /** Ranges over several values: channel by channel where all have as many, else one for all channels. */
  static over(parts: readonly Ranges[]): Ranges {
    const channels = parts.every((p) => p.low.length === parts[0]!.low.length) ? parts[0]!.low.length : 1;
    const out = new Ranges(channels);
    for (const p of parts) {
      for (let c = 0; c < p.low.length; c++) {
        const to = channels === 1 ? 0 : c;
        out.low[to] = Math.min(out.low[to]!, p.low[c]!);
        out.high[to] = Math.max(out.high[to]!, p.high[c]!);
        out.nonzero[to]! += p.nonzero[c]!;
      }
      out.rows += channels === p.low.length ? p.rows : p.rows * p.low.length;
    }
    return out;
  }

  add(x: Tensor): void {
    const data = x.data as Float32Array;
    const channels = this.low.length;
    for (let i = 0, c = 0; i < data.length; i++) {
      const v = data[i]!;
      if (v < this.low[c]!) this.low[c] = v;
      else if (v > this.high[c]!) this.high[c] = v;
      if (v !== 0) this.nonzero[c]!++;
      if (++c === channels) c = 0;
    }
    this.rows += data.length / channels;
  }

  /** Adds so many rows, of which `nonzero` are not zero by channel; low and high are those of the caller. */
  count(rows: number, nonzero: Float64Array): void {
    for (let c = 0; c < nonzero.length; c++) this.nonzero[c]! += nonzero[c]!;
    this.rows += rows;
  }

  /** Makes room for values `factor` times as far from 0 as those seen. */
  widen(factor: number): void {
    for (let c = 0; c < this.low.length; c++) {
      this.low[c]! *= factor;
      this.high[c]! *= factor;
    }
  }

  /** Share of a channel's values that are not exactly zero: zeros cost nothing to quantize. */
  density(channel: number): number {
    return this.rows === 0 ? 1 : this.nonzero[channel]! / this.rows;
  }
}

/** Values beyond the calibrated range still fit where codes are plentiful. */
const WIDE_MARGIN = 1.5;
/** So near to half a step is halfway. */
const HALFWAY = 1e-3;
/** Bound of sums of products in an i32. */
const SUM_LIMIT = 2 ** 31 - 1;

/** What reads codes: `columns` products of them are added up at most. */
export interface CodeUse {
  readonly perChannel: boolean;
  readonly columns: number;
  /** Sums of four codes are to fit 16 bits. */
  readonly addsFour?: boolean;
}

/** Largest code then. With the margin of codes of 16 bits, steps are still a twentieth of those of 8 bits. */
const FOURTH = 2 ** 13 - 1;

/** Static quantization: per channel, or one scale and zero point. */
export function planStatic(use: CodeUse, ranges: Ranges, bits: 8 | 16): StaticActivation {
  if (use.perChannel) return perChannel(ranges, bits, use.columns);
  let low = 0;
  let high = 0;
  for (let c = 0; c < ranges.low.length; c++) {
    low = Math.min(low, ranges.low[c]!);
    high = Math.max(high, ranges.high[c]!);
  }
  const limit = bits === 16 && use.addsFour ? FOURTH : undefined;
  const { inv, zp } = affine(low, high, bits, use.columns, limit);
  const f = Math.fround(inv);
  const plan = { inv: Float32Array.of(f), base: f, exponents: undefined, zp: Int32Array.of(zp(f)) };
  return { mode: 'static', bits, ...plan, ...(limit === undefined ? {} : { limit }) };
}

/** Codes a unit and the zero point that goes with the final value of it. */
function affine(
  low: number,
  high: number,
  bits: 8 | 16,
  cols: number,
  limit = 32767,
): { inv: number; zp: (inv: number) => number } {
  if (bits === 16) {
    const largest = Math.min(limit, Math.floor(SUM_LIMIT / (cols * 127)));
    const reach = WIDE_MARGIN * Math.max(-low, high);
    return { inv: reach > 0 ? largest / reach : 1, zp: () => 0 };
  }
  const span = high - low;
  return {
    inv: span > 0 ? stepsOf(low, span) / span : 1,
    zp: (inv) => Math.max(-128, Math.min(127, Math.round(-128 - low * inv))),
  };
}

/**
 * Steps of 8 bits over a range. Pictures are 255 whole steps of theirs; where 0 lies halfway between two of them, as in -1..1, all would be
 * off by half a step, three times the error of values that lie anywhere. With a step less they do.
 */
function stepsOf(low: number, span: number): number {
  const off = ((-255 * low) / span) % 1;
  return Math.abs(off - 0.5) < HALFWAY ? 254 : 255;
}

function perChannel(ranges: Ranges, bits: 8 | 16, cols: number): StaticActivation {
  const n = ranges.low.length;
  const plans = Array.from({ length: n }, (_, c) => affine(ranges.low[c]!, ranges.high[c]!, bits, cols));
  // Scales are rounded up on the grid, so codes a unit are rounded down. Quarter octaves: the exponents travel, and those of the weights
  // that undo them.
  const base = Math.fround(Math.max(...plans.map((p) => p.inv)));
  const exponents = plans.map((p) => -2 * Math.ceil(log8Ceil(1, Math.max(1, base / p.inv)) / 2));
  const inv = Float32Array.from(exponents, (e) => scaleFromLog8(base, e));
  const zp = Int32Array.from(plans, (p, c) => p.zp(inv[c]!));
  return { mode: 'static', bits, inv, base, exponents, zp: zp.every((z) => z === zp[0]) ? zp.slice(0, 1) : zp };
}

export function decodingOf(plan: StaticActivation): Decoding {
  const zp = plan.zp.length === plan.inv.length ? plan.zp : new Int32Array(plan.inv.length).fill(plan.zp[0]!);
  return { scale: Float64Array.from(plan.inv, (v) => 1 / v), zp };
}

/** Mean squared rounding error of the activations of every channel under a plan. */
export function roundingNoise(plan: StaticActivation, ranges: Ranges): Float64Array {
  return Float64Array.from(ranges.low, (_, c) => {
    const step = 1 / (plan.inv.length === 1 ? plan.inv[0]! : plan.inv[c]!);
    return (ranges.density(c) * step * step) / 12;
  });
}
