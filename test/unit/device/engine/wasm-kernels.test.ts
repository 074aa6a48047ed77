import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DotProbe, Eight } from '../../../../sdk/device/engine/probe.ts';
import { preferredVariant, SET_CHAINED, SET_EIGHT, wasmKernels } from '../../../../sdk/device/engine/wasm-kernels.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import type { KernelModule } from '../../../../sdk/wire/kernels.ts';

/** A probe that has measured these speeds; 0 is a wrong dot product. */
function probed(whole: number, chained: number, known = true, eight: Eight = 'none'): DotProbe {
  const dot = (speedup: number) => ({ right: speedup > 0, speedup });
  return { known, whole: dot(whole), chained: dot(chained), eight };
}

test('kernels are chosen by known answers and measured speed', () => {
  const choice = (...speeds: Parameters<typeof probed>) => preferredVariant(probed(...speeds));
  assert.is(choice(2, 1.6).variant, 'dot7');
  assert.is(choice(0.9, 1.6).variant, 'dot7x16');
  assert.is(choice(0, 1.6).variant, 'dot7x16');
  assert.match(choice(0.9, 1.02).reason, 'only 1.02 times as fast');
  assert.is(choice(0.9, 1.02).variant, 'simd128');
  assert.equal(choice(0, 0), {
    variant: 'simd128',
    reason: 'the relaxed dot product is computed wrongly by this Node',
  });
  assert.match(choice(0, 0, false).reason, 'not known to this Node');
});

const HEADER = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
/** A function of no parameters and results, exported. */
function exporting(name: string): number[] {
  const entry = [name.length, ...Buffer.from(name), 0x00, 0x00];
  const exported = [0x07, entry.length + 1, 0x01, ...entry];
  return [
    ...HEADER,
    0x01,
    0x04,
    0x01,
    0x60,
    0x00,
    0x00,
    0x03,
    0x02,
    0x01,
    0x00,
    ...exported,
    0x0a,
    0x04,
    0x01,
    0x02,
    0x00,
    0x0b,
  ];
}
const moduleOf = (variant: string, bytes = HEADER): KernelModule => ({
  platform: 'wasm',
  variant,
  bytes: Uint8Array.from(bytes),
});
const TODAY = [moduleOf('simd128'), moduleOf('dot7', exporting(SET_CHAINED))];
const BEFORE = [moduleOf('simd128'), moduleOf('dot7')];

test('kernels that cannot sum in 16 bits are run the next best way', () => {
  const chosen = (modules: readonly KernelModule[], probe: DotProbe): string =>
    wasmKernels(modules, undefined, () => probe).kernels.variant;
  assert.is(chosen(TODAY, probed(1.5, 1.6)), 'dot7x16');
  assert.is(chosen(BEFORE, probed(1.5, 1.6)), 'dot7');
  assert.is(chosen(BEFORE, probed(1.05, 1.6)), 'simd128');
  assert.is(chosen(BEFORE, probed(0, 1.6)), 'simd128');
  assert.is(chosen(BEFORE, probed(1.6, 1.5)), 'dot7');
});

test('kernels that are computed wrongly here are refused, also where they are asked for', () => {
  const refused = (modules: readonly KernelModule[], wanted: string, probe: DotProbe, message: RegExp): void => {
    try {
      wasmKernels(modules, wanted, () => probe);
      assert.unreachable();
    } catch (e) {
      assert.ok(isEigenError(e) && e.code === 'EW5003_ENGINE_UNAVAILABLE', String(e));
      assert.match(e.message, message);
    }
  };
  refused(TODAY, 'dot7', probed(0, 1.6), /'dot7' is computed wrongly by this Node/);
  refused(TODAY, 'dot7x16', probed(1.6, 0), /'dot7x16' is computed wrongly by this Node/);
  refused(TODAY, 'dot7', probed(0, 0, false), /'dot7' is not known to this Node/);
  refused(BEFORE, 'dot7x16', probed(1.6, 1.6), /no kernels of variant 'dot7x16'; there are: simd128, dot7/);
  assert.is(wasmKernels(TODAY, 'dot7', () => probed(0.5, 0)).kernels.variant, 'dot7');
  assert.equal(wasmKernels(TODAY, 'dot7x16', () => probed(0, 0.5)).settings, { [SET_CHAINED]: 1 });
  const never = (): DotProbe => {
    throw new Error('nothing relaxed is asked for');
  };
  assert.is(wasmKernels(TODAY, 'simd128', never).kernels.variant, 'simd128');
});

test('kernels are told of codes of 8 bits where their dot product is used and takes them', () => {
  const both = [moduleOf('simd128'), moduleOf('dot7', exporting(SET_EIGHT))];
  const settings = (modules: readonly KernelModule[], eight: Eight): Readonly<Record<string, number>> =>
    wasmKernels(modules, 'dot7', () => probed(2, 1.5, true, eight)).settings;
  assert.equal(settings(both, 'unsigned'), { [SET_EIGHT]: 1 });
  assert.equal(settings(both, 'signed'), { [SET_EIGHT]: 2 });
  assert.equal(settings(both, 'none'), {});
  assert.equal(settings(BEFORE, 'unsigned'), {});
  assert.equal(settings(TODAY, 'unsigned'), {});
  const chained = [moduleOf('dot7', exporting(SET_CHAINED))];
  assert.equal(wasmKernels(chained, undefined, () => probed(1.5, 1.6, true, 'unsigned')).settings, {
    [SET_CHAINED]: 1,
  });
});

test.run();
