import type { TranslateLayer } from '../layer.ts';
import { BASIC } from './basic.ts';
import { IMAGE_LAYERS } from './images.ts';
import { MERGES } from './merge.ts';
import { RECURRENT } from './recurrent.ts';

/** Translations of layers by class name. */
export const LAYERS: ReadonlyMap<string, TranslateLayer> = new Map(
  [BASIC, IMAGE_LAYERS, MERGES, RECURRENT].flatMap((t) => Object.entries(t)),
);
