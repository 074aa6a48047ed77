import type { Picture } from './image.ts';
import { createRandom } from './random.ts';
import { aspectOf, render } from './render.ts';
import { randomStyle, type Style } from './style.ts';
import { type Part, textLine } from './text.ts';

export interface Line {
  readonly text: string;
  readonly style: Style;
  readonly picture: Picture;
}

/** The recogniser reads 48x320 pixels: wider lines would be squeezed. */
const MAX_ASPECT = 320 / 48;

/** Line `index` of a part: the same text and pixels on every machine, whatever other lines are drawn. */
export function drawLine(part: Part, index: number, seed = 'read-text'): Line {
  const r = createRandom(`${seed}/${part}/${index}`);
  for (;;) {
    const text = textLine(r, part);
    // A few typefaces are tried before the text is given up, or long lines would hardly ever come.
    for (let attempt = 0; attempt < 4; attempt++) {
      const style = randomStyle(r, part);
      if (aspectOf(text, style) <= MAX_ASPECT) return { text, style, picture: render(text, style, r) };
    }
  }
}

/** The first `count` lines of a part with different texts. */
export function drawLines(part: Part, count: number, seed?: string): Line[] {
  const lines = new Map<string, Line>();
  for (let index = 0; lines.size < count; index++) {
    const line = drawLine(part, index, seed);
    if (!lines.has(line.text)) lines.set(line.text, line);
  }
  return [...lines.values()];
}
