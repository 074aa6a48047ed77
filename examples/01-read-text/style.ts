import { FAMILIES, type Face } from './fonts.ts';
import type { Random } from './random.ts';
import type { Part } from './text.ts';

export type Rgb = readonly [number, number, number];

/** How one line is set, lit and photographed. */
export interface Style {
  readonly face: Face;
  /** Pixels per em. */
  readonly size: number;
  /** Extra space between letters and between words, in em. */
  readonly tracking: number;
  readonly wordSpace: number;
  /** Space around the line, in em. */
  readonly margin: { readonly x: number; readonly top: number; readonly bottom: number };
  /** Rotation and slant, as the tangent of the angle. */
  readonly slope: number;
  readonly shear: number;
  readonly ink: Rgb;
  readonly paper: Rgb;
  /** Change of the paper's brightness from one side to the other, in levels of 255. */
  readonly gradient: { readonly x: number; readonly y: number };
  /** Standard deviation of the blur, pixels. */
  readonly blur: number;
  /** The picture is reduced to this share of its size and enlarged again; 1 for not at all. */
  readonly resolution: number;
  /** Standard deviation of the noise, in levels of 255. */
  readonly noise: number;
  /** Quantization step of the 8x8 cosine transform at the lowest frequency, in levels; 0 for no compression. */
  readonly jpegStep: number;
}

function grey(r: Random, low: number, high: number, tint: number): Rgb {
  const level = r.range(low, high);
  return [0, 1, 2].map(() => Math.max(0, Math.min(255, level + r.range(-tint, tint)))) as unknown as Rgb;
}

function colours(r: Random): { ink: Rgb; paper: Rgb } {
  const kind = r.next();
  if (kind < 0.45) return { ink: grey(r, 0, 60, 10), paper: grey(r, 195, 255, 12) };
  if (kind < 0.65) return { ink: grey(r, 200, 255, 15), paper: grey(r, 0, 75, 25) };
  if (kind < 0.85) return { ink: grey(r, 20, 80, 50), paper: grey(r, 170, 225, 35) };
  return { ink: grey(r, 185, 235, 40), paper: grey(r, 50, 100, 50) };
}

export function randomStyle(r: Random, part: Part): Style {
  const { ink, paper } = colours(r);
  return {
    face: r.pick(r.pick(FAMILIES[part])),
    size: r.range(22, 46),
    tracking: r.chance(0.3) ? r.range(-0.02, 0.1) : 0,
    wordSpace: r.range(1.05, 1.5),
    margin: { x: r.range(0.06, 0.3), top: r.range(0, 0.12), bottom: r.range(0, 0.12) },
    slope: r.chance(0.5) ? 0.012 * r.normal() : 0,
    shear: r.chance(0.3) ? 0.08 * r.normal() : 0,
    ink,
    paper,
    gradient: r.chance(0.5) ? { x: r.range(-30, 30), y: r.range(-20, 20) } : { x: 0, y: 0 },
    blur: r.chance(0.5) ? r.range(0.3, 1.2) : 0,
    resolution: r.chance(0.35) ? r.range(0.45, 0.85) : 1,
    noise: r.chance(0.6) ? r.range(2, 13) : 0,
    jpegStep: r.chance(0.4) ? r.range(8, 28) : 0,
  };
}
