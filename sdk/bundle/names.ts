import { type KernelId, PLATFORMS } from '../wire/kernels.ts';

/** Names of the parts of a bundle; a role fixes the name, so that no reader has to trust one. */

export type PartRole = 'weights' | 'kernel' | 'kernel-source' | 'golden' | 'graph' | 'report';

export const MANIFEST = 'manifest.json';
/** In the format of sha256sum, so that an unpacked bundle can be checked with it. */
export const MANIFEST_DIGEST = 'manifest.sha256';
export const WEIGHTS = 'weights.ewt';
/** The graph that the program was compiled from, for the reference engine; weights are in WEIGHTS. */
export const GRAPH = 'graph.json.z';
export const REPORT = 'report.json.z';
export const GOLDEN_INPUTS = 'golden/inputs.npz';
export const KERNEL_SOURCE = 'kernels/kernels.c.z';

const WASM_KERNELS = /^kernels\/([a-z0-9][a-z0-9-]*)\.wasm$/;
const NATIVE_KERNELS = /^kernels\/([a-z0-9]+-[a-z0-9]+)\/([a-z0-9][a-z0-9-]*)\.so$/;

/** File of a module of kernels in an installation; in a bundle it is deflated. */
export function kernelFile({ platform, variant }: KernelId): string {
  return platform === 'wasm' ? `kernels/${variant}.wasm` : `kernels/${platform}/${variant}.so`;
}

/** Part of a module of kernels. */
export function kernelPart(kernels: KernelId): string {
  return `${kernelFile(kernels)}.z`;
}

/** The inverse of kernelPart; undefined for other names. */
export function kernelIdOf(name: string): KernelId | undefined {
  const file = name.endsWith('.z') ? name.slice(0, -2) : '';
  const wasm = WASM_KERNELS.exec(file);
  if (wasm) return { platform: 'wasm', variant: wasm[1]! };
  const native = NATIVE_KERNELS.exec(file);
  const platform = PLATFORMS.find((p) => p !== 'wasm' && p === native?.[1]);
  return native && platform ? { platform, variant: native[2]! } : undefined;
}

export function nameFitsRole(name: string, role: PartRole): boolean {
  if (role === 'kernel') return kernelIdOf(name) !== undefined;
  return (
    name ===
    { weights: WEIGHTS, 'kernel-source': KERNEL_SOURCE, golden: GOLDEN_INPUTS, graph: GRAPH, report: REPORT }[role]
  );
}

/** Deflated parts state their inflated size. */
export function isDeflated(name: string): boolean {
  return name.endsWith('.z');
}

/** Content of manifest.sha256. */
export function digestText(digest: string): string {
  return `${digest}  ${MANIFEST}\n`;
}
