import { Random } from './random.ts';

/** Samples of one window of a motor's vibration. */
export const WINDOW = 64;

/** How a motor may sound: sound, a worn bearing, a loose mount, a bent shaft. */
export const CLASSES = 4;

/** Of the noise over the vibration, which has an amplitude of about 1. */
const NOISE = 1.8;

export interface Windows {
  /** [count, WINDOW] */
  readonly data: Float32Array;
  readonly labels: Uint8Array;
}

/** Windows of motors, a class drawn for each. */
export function recordWindows(count: number, seed: number): Windows {
  const random = new Random(seed);
  const data = new Float32Array(count * WINDOW);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = random.below(CLASSES);
    for (let t = 0; t < WINDOW; t++) data[i * WINDOW + t] = vibration(labels[i]!, t) + NOISE * random.normal();
  }
  return { data, labels };
}

function vibration(kind: number, t: number): number {
  const turn = (2 * Math.PI * t) / WINDOW;
  return Math.sin(4 * turn) + 0.8 * Math.sin((7 + 3 * kind) * turn + kind);
}
