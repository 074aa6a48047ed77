import { codeBlocks } from './blocks.ts';
import { depthwise } from './depthwise.ts';
import { heads } from './heads.ts';
import { LISTS_256 } from './lists-256.ts';
import { PANELS_512 } from './panels.ts';
import { products } from './products.ts';
import { rowWalk } from './row-walk.ts';
import { WIDTHS, type WideKind } from './width.ts';
import { wideWords } from './words.ts';

/**
 * Wide vectors of x86-64 (`Vectors.wide`): the words of sdk/compile/emit/c/lanes.ts for 8 lanes (AVX2) and 16 (AVX-512 VNNI), and the
 * micro-kernels of integer products. Bytes of activations are unsigned here (their sign bit is turned), codes signed: what the
 * instructions multiply.
 */
export function wideHeader(kind: WideKind): string {
  const w = WIDTHS[kind];
  const panels = w.lanes === 16 ? PANELS_512 : LISTS_256;
  return `${wideWords(w)}${products(w)}${depthwise(w)}${panels}${codeBlocks(w)}${heads(w)}${rowWalk(w)}`;
}
