import type { Window } from './window.ts';

export interface ConvShape {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly c: number;
  readonly o: number;
  readonly kh: number;
  readonly kw: number;
  readonly oh: number;
  readonly ow: number;
  readonly groups: number;
}

/** Sums of products of x [N,H,W,C] and w [O,kh,kw,C/groups] in f64, written through `store(out index, channel, sum)`. */
export function convolve(
  x: Float32Array,
  w: Float32Array,
  s: ConvShape,
  win: Window,
  store: (i: number, o: number, sum: number) => void,
): void {
  const cg = s.c / s.groups;
  const og = s.o / s.groups;
  const [sh, sw] = win.strides;
  const [dh, dw] = win.dilations;
  const taps = s.kh * s.kw * cg;
  let out = 0;
  for (let n = 0; n < s.n; n++) {
    for (let y = 0; y < s.oh; y++) {
      const y0 = y * sh - win.pads[0];
      for (let v = 0; v < s.ow; v++) {
        const x0 = v * sw - win.pads[1];
        for (let o = 0; o < s.o; o++, out++) {
          const channel = Math.floor(o / og) * cg;
          let sum = 0;
          for (let ky = 0; ky < s.kh; ky++) {
            const iy = y0 + ky * dh;
            if (iy < 0 || iy >= s.h) continue;
            for (let kx = 0; kx < s.kw; kx++) {
              const ix = x0 + kx * dw;
              if (ix < 0 || ix >= s.w) continue;
              const xi = ((n * s.h + iy) * s.w + ix) * s.c + channel;
              const wi = o * taps + (ky * s.kw + kx) * cg;
              for (let i = 0; i < cg; i++) sum += x[xi + i]! * w[wi + i]!;
            }
          }
          store(out, o, sum);
        }
      }
    }
  }
}
