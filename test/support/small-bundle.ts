import type { BundleSpec } from '../../sdk/bundle/index.ts';
import { packBundle } from '../../sdk/bundle/index.ts';
import { sha256OfTensor } from '../../sdk/util/hash.ts';
import { scaleFromLog8 } from '../../sdk/util/log8.ts';
import { tensor } from '../../sdk/util/tensor.ts';
import { panelLayout } from '../../sdk/wire/panels.ts';
import type { Program } from '../../sdk/wire/program.ts';
import { encodeWeights } from '../../sdk/wire/weights.ts';
import { normalCodes } from './codes.ts';

const exponents = [0, -3, 5, 8, 1, 2, 3, 4];
const codes = tensor(
  'i8',
  [8, 16],
  Array.from({ length: 128 }, (_, i) => ((i * 5) % 7) - 3),
);
const scales = tensor(
  'f32',
  [8],
  exponents.map((e) => scaleFromLog8(0.25, e)),
);
const bias = tensor('i32', [8], [1, -2, 3, 400, 0, 0, 0, 1]);

/** A program of the right form with one matrix; nothing runs it. */
const program: Program = {
  name: 'small',
  inputs: [{ name: 'x', dtype: 'f32', shape: [1, 16], offset: 0 }],
  outputs: [{ name: 'y', dtype: 'f32', shape: [1, 8], offset: 64 }],
  steps: [
    { node: 'fc', kind: 'gemm', macs: 128, bytes: 256, live: [{ name: 'x', dtype: 'f32', shape: [1, 16], offset: 0 }] },
  ],
  arenaBytes: 128,
  scratchBytes: 0,
  weights: [
    {
      name: 'w',
      dtype: 'i8',
      shape: [8, 16],
      offset: 0,
      bytes: 50,
      layout: { kind: 'panels', rows: 8, cols: 16, bits: 3, widths: [3], bytes: 50 },
    },
    { name: 's', dtype: 'f32', shape: [8], offset: 64, bytes: 12, layout: { kind: 'log8', base: 0.25 } },
    { name: 'b', dtype: 'i32', shape: [8], offset: 128, bytes: 32, layout: { kind: 'plain' } },
  ],
  weightBytes: 192,
};

/** What packBundle takes for a small complete bundle; `change` replaces members. */
export function smallSpec(change: Partial<BundleSpec> = {}): BundleSpec {
  const { bytes } = encodeWeights([
    { name: 'w', tensor: codes, encoding: { kind: 'codes', bits: 4 } },
    { name: 's', tensor: scales, encoding: { kind: 'log8', base: 0.25, exponents } },
    { name: 'b', tensor: bias, encoding: { kind: 'ints' } },
  ]);
  const y = tensor('f32', [1, 8], [1, 2, 3, 4, 5, 6, 7, 8]);
  return {
    toolVersion: '0.1.0',
    model: { name: 'small.onnx', sha256: 'a'.repeat(64) },
    target: { id: 'raspberry-pi-4b', profileSha256: 'b'.repeat(64) },
    precision: 'int8',
    settings: { budget: '8x', nested: { b: 1, a: [true, null] } },
    seed: 1,
    program,
    weights: bytes,
    kernels: [
      { platform: 'wasm', variant: 'simd', bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0) },
      { platform: 'wasm', variant: 'relaxed', bytes: Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 0) },
      { platform: 'linux-x64', variant: 'avx2', bytes: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46) },
    ],
    kernelSource: 'void ew_step_0(void) {}\n',
    golden: {
      inputs: { x: tensor('f32', [2, 16]) },
      outputs: [{ name: 'y', sha256: [sha256OfTensor(y), sha256OfTensor(y)] }],
    },
    report: { layers: [{ name: 'fc', bits: 4 }] },
    ...change,
  };
}

export function smallBundle(): Uint8Array {
  return packBundle(smallSpec());
}

/** A bundle of three matrices whose codes travel in planes; nothing runs it. */
export function layeredSpec(): BundleSpec {
  const [rows, cols] = [64, 160];
  let offset = 0;
  const layers = [2.5, 3.15, 5].map((sd, i) => {
    const data = tensor('i8', [rows, cols], normalCodes(rows, cols, sd, 31, i + 1));
    const layout = panelLayout(data.data, rows, cols);
    const slot = { name: `w${i}`, dtype: 'i8' as const, shape: [rows, cols], offset, bytes: layout.bytes, layout };
    offset += Math.ceil(layout.bytes / 64) * 64;
    const item = { name: slot.name, tensor: data, encoding: { kind: 'codes' as const, bits: 6, gain: 1 + i } };
    return { slot, item };
  });
  const { bytes } = encodeWeights(layers.map((l) => l.item));
  return smallSpec({
    program: { ...program, weights: layers.map((l) => l.slot), weightBytes: offset },
    weights: bytes,
  });
}
