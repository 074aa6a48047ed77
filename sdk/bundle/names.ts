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

const KERNEL = /^kernels\/([a-z0-9][a-z0-9-]*)\.wasm\.z$/;

/** Part of a kernel variant; a variant is a word of lower-case letters, digits and dashes. */
export function kernelPart(variant: string): string {
  return `kernels/${variant}.wasm.z`;
}

/** The inverse of kernelPart; undefined for other names. */
export function variantOf(name: string): string | undefined {
  return KERNEL.exec(name)?.[1];
}

export function nameFitsRole(name: string, role: PartRole): boolean {
  if (role === 'kernel') return variantOf(name) !== undefined;
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
