import type { Translate, TranslateTable } from '../node.ts';
import { CONVOLUTIONS } from './convolution.ts';
import { ELEMENTWISE } from './elementwise.ts';
import { IMAGES } from './images.ts';
import { PRODUCTS } from './products.ts';
import { REDUCTIONS } from './reductions.ts';
import { SHAPES } from './shapes.ts';

const TABLES: readonly TranslateTable[] = [CONVOLUTIONS, ELEMENTWISE, IMAGES, PRODUCTS, REDUCTIONS, SHAPES];

/** Translations of TensorFlow's operators by name. */
export const TRANSLATIONS: ReadonlyMap<string, Translate> = new Map(TABLES.flatMap((t) => Object.entries(t)));
