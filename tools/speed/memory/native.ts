import { NativeEngine } from '../../../sdk/device/index.ts';
import { thisPlatform } from '../../../sdk/wire/kernels.ts';
import { runInstalled } from './ours.ts';

await runInstalled(({ manifest, weights, kernelFiles }) =>
  NativeEngine.load(manifest.program, kernelFiles(thisPlatform()!), { file: weights }),
);
