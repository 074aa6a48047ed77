/** An 8-bit RGB picture, rows from the top, three bytes a pixel. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** A picture in work: one float plane a channel, 0..255. */
export interface Planes {
  readonly width: number;
  readonly height: number;
  readonly channels: readonly Float32Array[];
}

export function newPlanes(width: number, height: number): Planes {
  return { width, height, channels: [0, 1, 2].map(() => new Float32Array(width * height)) };
}

export function toPicture(planes: Planes): Picture {
  const { width, height, channels } = planes;
  const rgb = new Uint8Array(width * height * 3);
  for (let c = 0; c < 3; c++) {
    const plane = channels[c]!;
    for (let i = 0; i < plane.length; i++) rgb[i * 3 + c] = Math.max(0, Math.min(255, Math.round(plane[i]!)));
  }
  return { width, height, rgb };
}

/** Bilinear resampling of one plane with pixel centres at half integers, edges repeated (the convention of OpenCV's resize). */
export function resizePlane(
  source: Float32Array,
  from: { width: number; height: number },
  to: { width: number; height: number },
): Float32Array {
  const out = new Float32Array(to.width * to.height);
  const columns = taps(from.width, to.width);
  const rows = taps(from.height, to.height);
  for (let y = 0; y < to.height; y++) {
    const top = rows.low[y]! * from.width;
    const bottom = rows.high[y]! * from.width;
    const v = rows.weight[y]!;
    for (let x = 0; x < to.width; x++) {
      const left = columns.low[x]!;
      const right = columns.high[x]!;
      const u = columns.weight[x]!;
      const upper = source[top + left]! * (1 - u) + source[top + right]! * u;
      const lower = source[bottom + left]! * (1 - u) + source[bottom + right]! * u;
      out[y * to.width + x] = upper * (1 - v) + lower * v;
    }
  }
  return out;
}

interface Taps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly weight: Float32Array;
}

function taps(from: number, to: number): Taps {
  const low = new Int32Array(to);
  const high = new Int32Array(to);
  const weight = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, Math.min(from - 1, ((i + 0.5) * from) / to - 0.5));
    low[i] = Math.floor(at);
    high[i] = Math.min(from - 1, low[i]! + 1);
    weight[i] = at - low[i]!;
  }
  return { low, high, weight };
}
