import type { Expr } from './expr.ts';

/**
 * What an operator lowers to: a closed, small set of loop-nest classes, as data. `sdk/compile` renders each class once
 * for all operators and targets. Tensors are dense row-major; images are NHWC by the time a graph is lowered.
 * Unless a class says otherwise inputs and outputs are f32.
 */
export type KernelSpec =
  /** out[i] = expr(in0[i], in1[i], ...) with numpy broadcasting of the inputs to the output shape. bool tensors are 0/1 bytes. */
  | { readonly kind: 'map'; readonly expr: Expr }
  /** Same bytes, new shape: costs nothing. */
  | { readonly kind: 'view' }
  /** out[idx] = in[offset + sum(idx[d] * strides[d])]: transpose, slice, expand, flip. Any dtype. Strides in elements, one an output axis. */
  | { readonly kind: 'strided'; readonly offset: number; readonly strides: readonly number[] }
  | {
      readonly kind: 'pad';
      readonly before: readonly number[];
      readonly mode: 'constant' | 'edge' | 'reflect';
      readonly value: number;
    }
  | { readonly kind: 'concat'; readonly axis: number }
  /** inputs: data, indices (i64/i32). out = data.take(indices, axis). Negative indices count from the end. */
  | { readonly kind: 'gather'; readonly axis: number }
  | { readonly kind: 'cast' }
  | {
      readonly kind: 'reduce';
      readonly axes: readonly number[];
      readonly fn: 'sum' | 'mean' | 'max' | 'min' | 'prod' | 'sumsq';
    }
  /** Index of the extreme, as i64. */
  | { readonly kind: 'argreduce'; readonly axis: number; readonly fn: 'max' | 'min'; readonly lastIndex: boolean }
  | { readonly kind: 'softmax'; readonly axis: number; readonly log: boolean }
  /** Normalises the axes from `axis` to the end. inputs: x, scale?, bias?. rms: no mean is subtracted. */
  | { readonly kind: 'layernorm'; readonly axis: number; readonly epsilon: number; readonly rms: boolean }
  /** inputs: x [N,H,W,C], w [O,kh,kw,C/groups], b? [O]. pads: top, left, bottom, right. */
  | {
      readonly kind: 'conv';
      readonly strides: readonly [number, number];
      readonly pads: readonly [number, number, number, number];
      readonly dilations: readonly [number, number];
      readonly groups: number;
    }
  /** inputs: x [N,H,W,C], w [C,kh,kw,O/groups], b? [O]. */
  | {
      readonly kind: 'convtranspose';
      readonly strides: readonly [number, number];
      readonly pads: readonly [number, number, number, number];
      readonly dilations: readonly [number, number];
      readonly groups: number;
    }
  /** x [N,H,W,C]. avg divides by the window's size inside the image unless countIncludePad. max also of i8 and i16. */
  | {
      readonly kind: 'pool';
      readonly fn: 'max' | 'avg';
      readonly kernel: readonly [number, number];
      readonly strides: readonly [number, number];
      readonly pads: readonly [number, number, number, number];
      readonly dilations: readonly [number, number];
      readonly countIncludePad: boolean;
    }
  /** inputs: x [..., K], w [N, K], b? [N]. */
  | { readonly kind: 'linear' }
  /** inputs: a [..., M, K] (or [..., K, M] with transA), b [..., K, N] (or [..., N, K] with transB); batch axes broadcast. */
  | { readonly kind: 'matmul'; readonly transA: boolean; readonly transB: boolean }
  /** x [N,H,W,C]; source coordinate of output i along an axis: by `coordinate`, with scale = out / in as given. */
  | {
      readonly kind: 'resize';
      readonly mode: 'nearest' | 'linear';
      readonly coordinate: 'asymmetric' | 'half_pixel' | 'pytorch_half_pixel' | 'align_corners';
      readonly nearest: 'floor' | 'ceil' | 'round_prefer_floor' | 'round_prefer_ceil';
      readonly scales: readonly [number, number];
    }
  /**
   * ONNX semantics, gate order i o f c; inputs: x [T,B,I], w [D,4H,I], r [D,4H,H], b? [D,8H], seq_lens? (absent), h0? [D,B,H], c0? [D,B,H];
   * outputs: y [T,D,B,H], yh [D,B,H], yc [D,B,H].
   */
  | { readonly kind: 'lstm'; readonly hidden: number; readonly direction: 'forward' | 'reverse' | 'bidirectional' }
  /** ONNX GRU, gate order z r h; inputs as lstm with 3H. */
  | {
      readonly kind: 'gru';
      readonly hidden: number;
      readonly direction: 'forward' | 'reverse' | 'bidirectional';
      readonly linearBeforeReset: boolean;
    }
  /**
   * f32 -> i8 or i16 (the output's dtype): round(x * inv[c]) + zp[c], saturated to the dtype; inputs: x, inv (f32: 1 or last-axis many),
   * zp (i32: same). Requires |x * inv| < 2^22, which calibration guarantees by clamping x * inv to +-2^21 first.
   */
  | { readonly kind: 'quantize' }
  /** i8 or i16 -> f32: f32(x - zp[c]) * (1 / inv[c]); inputs as quantize. */
  | { readonly kind: 'dequantize' }
  /** f32 [..., K] -> i8 [..., K] and one f32 scale a row: m = max|x|, scale = m / 127, q = round(x * (127 / m)); an all-zero row gives scale 0 and codes 0. */
  | { readonly kind: 'dynquantize' }
  /**
   * Integer convolution. inputs: x i8 or i16 [N,H,W,C], w i8 codes [O,kh,kw,C/groups], m f32 [O], bias f32 [O], zp i32 [1 or C].
   * out = f32(sum(w * (x - zp))) * m[o] + bias[o]; padding counts as x = zp.
   */
  | {
      readonly kind: 'qconv';
      readonly strides: readonly [number, number];
      readonly pads: readonly [number, number, number, number];
      readonly dilations: readonly [number, number];
      readonly groups: number;
    }
  /** inputs: x i8 [...,K], xs f32 [...] (one a row), w i8 codes [N,K], ws f32 [N], bias f32 [N]. out = f32(sum(x*w)) * xs[row] * ws[n] + bias[n]; without xs: x i8 or i16, zp i32 [1] last, x - zp. */
  | { readonly kind: 'qlinear' }
  /**
   * Attention over i8 codes: inputs q, k, v, scale f32 [heads], valueScale f32 [heads*valueSize], mask? f32 broadcast to
   * [batch, heads, queries, keys], its last axis whole. Element (b, h, position, d) of q is at q[0] + b*q[1] + h*q[2] + position*q[3] + d; so for k, v.
   * score = f32(sum(q*k)) * scale[h] + mask; weight = round(exp(score - max of the row) * P), P = weightScale(keys) (sdk/ir/ops/qattention.ts);
   * out [batch, queries, heads*valueSize] = f32(sum(weight*v)) * (1 / f32(sum(weight))) * valueScale, 0 where all weights are. causal: query i sees
   * keys 0..i+keys-queries.
   */
  | {
      readonly kind: 'qattention';
      readonly batch: number;
      readonly heads: number;
      readonly queries: number;
      readonly keys: number;
      readonly size: number;
      readonly valueSize: number;
      readonly q: readonly [number, number, number, number];
      readonly k: readonly [number, number, number, number];
      readonly v: readonly [number, number, number, number];
      readonly causal: boolean;
    }
  /** Rows of an embedding. inputs: codes i8 [V,D], scale f32 [V], indices. out[..., d] = f32(codes[i][d]) * scale[i]. */
  | { readonly kind: 'qgather' }
  /**
   * LSTM on integer products, h with the fixed scale 1/127. inputs: x i8 [T,B,I], xs f32 [T,B]? (1 when absent), w i8 [D,4H,I], ws f32 [D,4H],
   * r i8 [D,4H,H], rs f32 [D,4H], bias f32 [D,4H], h0? c0?. gate = f32(w.x) * xs * ws + f32(r.hq) * (rs/127) + bias, hq = round(127 h).
   */
  | { readonly kind: 'qlstm'; readonly hidden: number; readonly direction: 'forward' | 'reverse' | 'bidirectional' };

export type KernelKind = KernelSpec['kind'];
export type KernelOf<K extends KernelKind> = Extract<KernelSpec, { kind: K }>;
