import type { Precision, Profile, RuntimeKind } from './profile-schema.ts';

/**
 * Kinds of arithmetic; int16: activations of 16 bits with weights of 8; light: layers with few multiplications per element (depthwise,
 * matrix-vector), any precision.
 */
export type Arithmetic = Precision | 'int16' | 'light';
type Rates = Readonly<Record<Arithmetic, number>>;

/**
 * Multiply-accumulates a cycle and core. Native: 128-bit multiply rates of the cores (llvm-mca steady state, software
 * optimisation guides): A53/A57/A72 one 4-lane fused multiply-add a cycle, A76/A78 two; int8 by smull/smlal pairs, by
 * sdot where there is one; int16 by smlal, four products and one a cycle on all of them, which an A53 does as fast as bytes since it takes one
 * instruction a cycle of either. WebAssembly: no fused multiply-add, and i32x4.dot_i16x8_s (8 products) takes two widening
 * multiplies and a pairwise add on Arm, one instruction on x86; the relaxed dot product of bytes has as many instructions for twice the products, and
 * sums of 16 bits to widen: 1.6 times as fast where it was timed. Light: half of the float rate fits the published
 * MobileNets best; on x86 in WebAssembly, depthwise kernels were timed.
 */
interface CorePeak {
  readonly native: Rates;
  readonly wasm: Rates;
}

const A53: CorePeak = {
  native: { fp32: 4, fp16: 4, int8: 4, int16: 4, light: 2 },
  wasm: { fp32: 2, fp16: 2, int8: 3.2, int16: 2, light: 1 },
};
const A72: CorePeak = {
  native: { fp32: 4, fp16: 4, int8: 8, int16: 4, light: 2 },
  wasm: { fp32: 2, fp16: 2, int8: 4.8, int16: 3, light: 1 },
};
const A76: CorePeak = {
  native: { fp32: 8, fp16: 16, int8: 32, int16: 4, light: 4 },
  wasm: { fp32: 4, fp16: 4, int8: 6.4, int16: 4, light: 2 },
};
// SMLAD makes two 16-bit products a cycle, of bytes too; the FPU one multiply-add in two.
const M_CLASS: Rates = { fp32: 0.5, fp16: 0.5, int8: 2, int16: 2, light: 1 };
const CORTEX_M: CorePeak = { native: M_CLASS, wasm: M_CLASS };

const CORES: Readonly<Record<string, CorePeak>> = {
  'cortex-a35': A53,
  'cortex-a53': A53,
  'cortex-a55': A53,
  'cortex-a57': A72,
  'cortex-a72': A72,
  'cortex-a73': A72,
  'cortex-a76': A76,
  'cortex-a78': A76,
  'cortex-a78ae': A76,
  'neoverse-n1': A76,
  'cortex-m33': CORTEX_M,
  'cortex-m7': CORTEX_M,
};

/** Peak of one core, 10^9 MAC/s, of the profile's first (fastest) cluster. */
export function cpuPeak(profile: Profile, arithmetic: Arithmetic, runtime: RuntimeKind): number {
  const cluster = profile.cpu.clusters[0]!;
  const peak = CORES[cluster.core] ?? byFeatures(cluster.features, profile.cpu.arch);
  return (peak[runtime === 'wasm' ? 'wasm' : 'native'][arithmetic] * cluster.clockMHz) / 1e3;
}

function byFeatures(features: readonly string[], arch: Profile['cpu']['arch']): CorePeak {
  if (arch === 'aarch64') return features.includes('dotprod') ? A76 : A72;
  if (arch === 'thumb') return CORTEX_M;
  // x86: two vector multiplies a cycle; vpmaddwd on 16-bit pairs, vpdpbusd on four bytes.
  const lanes = features.includes('avx512') ? 16 : features.includes('avx2') ? 8 : 4;
  const int8 = features.includes('avx512-vnni') ? 128 : features.includes('avx-vnni') ? 64 : 4 * lanes;
  const fp32 = (features.includes('fma') ? 2 : 1) * lanes;
  // Without VNNI, chains of vpmaddubsw make bytes as much faster than 16 bits as VNNI does, where codes are narrow.
  const native = { fp32, fp16: fp32, int8, int16: int8 / 2, light: fp32 / 2 };
  return { native, wasm: { fp32: 8, fp16: 8, int8: 25.6, int16: 16, light: 6 } };
}
