import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import opentype from 'opentype.js';
import type { Part } from './text.ts';

/** A face of a @fontsource package: family, weight, style. */
export interface Face {
  readonly family: string;
  readonly weight: number;
  readonly italic: boolean;
}

const FACES: Readonly<Record<string, string>> = {
  lato: '300 400 700 900 400i 700i',
  'work-sans': '300 400 500 700 400i',
  'archivo-narrow': '400 600 700 500i',
  'pt-serif': '400 700 400i 700i',
  'libre-baskerville': '400 700 400i',
  'zilla-slab': '400 600 700 400i',
  'courier-prime': '400 700 400i',
};

/** Families that calibration never sees. */
const HELD_OUT_FACES: Readonly<Record<string, string>> = {
  'crimson-text': '400 600 400i',
  'space-mono': '400 700',
};

function parseFaces(table: Readonly<Record<string, string>>): Face[] {
  return Object.entries(table).flatMap(([family, faces]) =>
    faces.split(' ').map((f) => ({ family, weight: Number.parseInt(f, 10), italic: f.endsWith('i') })),
  );
}

/** The families of a part, each with its faces: a family is picked first, so that one with many faces is not drawn more often. */
export const FAMILIES: Readonly<Record<Part, readonly (readonly Face[])[]>> = {
  calibration: byFamily(parseFaces(FACES)),
  evaluation: byFamily([...parseFaces(FACES), ...parseFaces(HELD_OUT_FACES)]),
};

function byFamily(faces: readonly Face[]): Face[][] {
  return [...new Set(faces.map((f) => f.family))].map((family) => faces.filter((f) => f.family === family));
}

const require = createRequire(import.meta.url);
const loaded = new Map<string, opentype.Font>();

/** The parsed font of a face, read once. */
export function loadFont(face: Face): opentype.Font {
  const file = `${face.family}-latin-${face.weight}-${face.italic ? 'italic' : 'normal'}.woff`;
  let font = loaded.get(file);
  if (!font) {
    const folder = dirname(require.resolve(`@fontsource/${face.family}/package.json`));
    const bytes = readFileSync(join(folder, 'files', file));
    font = opentype.parse(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
    loaded.set(file, font);
  }
  return font;
}
