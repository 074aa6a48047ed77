import { KERNEL_EFFORTS } from '../pipeline.ts';
import { switchFlag, valueFlag } from './command.ts';
import { readChoice, readText } from './values.ts';

/** Flags of the commands that make kernels. */
export const KERNEL_FLAGS = {
  tune: switchFlag('time tile sizes on this machine and take the best; for --target host; outputs do not change'),
  kernels: valueFlag(
    'HOW',
    'WebAssembly kernels: quick (at once), optimized (some seconds; up to a fifth faster) or auto, the default: quick for networks of fewer than 100,000 weights; outputs do not change',
    readChoice(KERNEL_EFFORTS),
  ),
  toolchain: valueFlag(
    'COMMAND',
    'C compiler for native kernels with its arguments, e.g. "zig cc"; what EIGEN_CC names, or one that is found, by default',
    readText,
  ),
};
