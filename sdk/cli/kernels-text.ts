import type { NativeBuild } from '../index.ts';

/** Which kernels a bundle has, and what made the native ones or why there are none. */
export function kernelsText({ kernels, note }: NativeBuild): string {
  return kernels.length === 0 ? `WebAssembly only: ${note}` : `WebAssembly, ${kernels.join(', ')}; ${note}`;
}
