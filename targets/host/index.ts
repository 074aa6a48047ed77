import { sharedObjectEntry } from '../../sdk/compile/emit/c/shared-object.ts';
import type { Target, Vectors } from '../../sdk/compile/target.ts';
import { sharedObjects } from '../../sdk/compile/toolchains/shared-object.ts';
import { rowBytes } from './row-walk.ts';
import { X86_HEADER } from './simd.ts';
import { wideHeader } from './wide.ts';
import { WIDTHS, type WideKind } from './width.ts';

const NARROW: Vectors = { header: X86_HEADER, entry: sharedObjectEntry };

function wide(kind: WideKind): Vectors {
  const w = WIDTHS[kind];
  return {
    ...NARROW,
    header: `${X86_HEADER}${wideHeader(kind)}`,
    wide: { lanes: w.lanes, ...w.shape, vnni: w.vnni, rowBytes: rowBytes(w) },
  };
}

/** x86-64 processors of the last fifteen years have the first variant; an engine takes the last one that the processor runs. */
export const hostTarget: Target = {
  id: 'host',
  summary: 'x86-64 shared objects for SSE 4, AVX2, AVX-VNNI and AVX-512 VNNI; needs gcc, clang or zig',
  platform: 'linux-x64',
  vectors: NARROW,
  variants: [
    { id: 'sse4', defines: [], flags: ['-msse4.2', '-mpopcnt'] },
    { id: 'avx2', defines: ['EW_DOT7'], flags: ['-mavx2', '-mpopcnt'], vectors: wide('avx2') },
    {
      id: 'avxvnni',
      defines: ['EW_DOT7'],
      flags: ['-mavx2', '-mavxvnni', '-mpopcnt'],
      vectors: wide('avxvnni'),
      optional: true,
    },
    {
      id: 'avx512vnni',
      defines: ['EW_DOT7'],
      flags: [
        '-mavx512f',
        '-mavx512bw',
        '-mavx512dq',
        '-mavx512vl',
        '-mavx512vnni',
        '-mavx512vbmi',
        '-mavx512vbmi2',
        '-mpopcnt',
      ],
      vectors: wide('avx512vnni'),
    },
  ],
  serves: ({ family, cpu }) => family === 'host' && cpu.arch === 'x86_64',
  ...sharedObjects('linux-x64'),
};
