/**
 * Outlines to coverage: each edge adds its signed area to the pixels it crosses, a running sum along the row gives the exact
 * share of each pixel that is inside (the accumulation method of font-rs). Overlapping contours of one direction count once.
 */
export class Raster {
  readonly width: number;
  readonly height: number;
  private readonly stride: number;
  private readonly area: Float32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.stride = width + 2;
    this.area = new Float32Array(this.stride * height);
  }

  /** Adds one directed edge, in pixels with y downwards; what lies left or right of the picture is moved to its border. */
  line(xa: number, ya: number, xb: number, yb: number): void {
    if (ya === yb) return;
    const sign = ya < yb ? 1 : -1;
    const [x0, y0, x1, y1] = ya < yb ? [xa, ya, xb, yb] : [xb, yb, xa, ya];
    const slope = (x1 - x0) / (y1 - y0);
    const last = Math.min(this.height, Math.ceil(y1));
    for (let y = Math.max(0, Math.floor(y0)); y < last; y++) {
      const from = Math.max(y, y0);
      const to = Math.min(y + 1, y1);
      this.span(y, x0 + (from - y0) * slope, x0 + (to - y0) * slope, (to - from) * sign);
    }
  }

  /** An edge within one row of pixels: `d` is its signed height, a pixel gets d times the share right of the edge. */
  private span(y: number, xa: number, xb: number, d: number): void {
    const limit = this.width;
    const left = Math.max(0, Math.min(limit, Math.min(xa, xb)));
    const right = Math.max(0, Math.min(limit, Math.max(xa, xb)));
    const row = y * this.stride;
    const first = Math.floor(left);
    if (right <= first + 1) {
      const mid = (left + right) / 2 - first;
      this.area[row + first]! += d * (1 - mid);
      this.area[row + first + 1]! += d * mid;
      return;
    }
    const perPixel = 1 / (right - left);
    let passed = 0;
    let before = 0;
    for (let x = first; x < right; x++) {
      const from = Math.max(left, x);
      const to = Math.min(right, x + 1);
      const share = (to - from) * perPixel;
      const covered = passed + share * (1 - ((from + to) / 2 - x));
      this.area[row + x]! += d * (covered - before);
      before = covered;
      passed += share;
    }
    this.area[row + Math.ceil(right)]! += d * (1 - before);
  }

  /** Coverage 0..1 of every pixel. */
  coverage(): Float32Array {
    const out = new Float32Array(this.width * this.height);
    for (let y = 0; y < this.height; y++) {
      let sum = 0;
      for (let x = 0; x < this.width; x++) {
        sum += this.area[y * this.stride + x]!;
        out[y * this.width + x] = Math.min(1, Math.abs(sum));
      }
    }
    return out;
  }
}
