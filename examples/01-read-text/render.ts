import type opentype from 'opentype.js';
import { addNoise, blur, jpegArtefacts, loseResolution } from './degrade.ts';
import { loadFont } from './fonts.ts';
import { newPlanes, type Picture, type Planes, toPicture } from './image.ts';
import type { Random } from './random.ts';
import { Raster } from './raster.ts';
import type { Style } from './style.ts';

interface Placed {
  readonly glyph: opentype.Glyph;
  /** Pen position, em. */
  readonly x: number;
}

interface Layout {
  readonly glyphs: readonly Placed[];
  /** Size of the line with its margins, em; the baseline is `baseline` below the top. */
  readonly width: number;
  readonly height: number;
  readonly baseline: number;
}

function layOut(font: opentype.Font, text: string, style: Style): Layout {
  const em = font.unitsPerEm;
  const glyphs: Placed[] = [];
  let x = style.margin.x;
  let before: opentype.Glyph | undefined;
  for (const character of text) {
    const glyph = font.charToGlyph(character);
    if (before) x += font.getKerningValue(before, glyph) / em;
    glyphs.push({ glyph, x });
    x += ((glyph.advanceWidth ?? 0) / em) * (character === ' ' ? style.wordSpace : 1) + style.tracking;
    before = glyph;
  }
  const ascent = font.ascender / em;
  const descent = -font.descender / em;
  const lean = Math.abs(style.slope) * x;
  return {
    glyphs,
    width: x + style.margin.x,
    height: style.margin.top + ascent + descent + style.margin.bottom + lean,
    baseline: style.margin.top + ascent + lean / 2,
  };
}

/** Width to height of the picture that `render` would make. */
export function aspectOf(text: string, style: Style): number {
  const { width, height } = layOut(loadFont(style.face), text, style);
  return width / height;
}

const CURVE_STEPS = 6;

/** Traces every outline into the raster, with the style's slope and slant about the middle of the line. */
function trace(raster: Raster, layout: Layout, font: opentype.Font, style: Style): void {
  const scale = style.size / font.unitsPerEm;
  const middle = (layout.width * style.size) / 2;
  const baseline = layout.baseline * style.size;
  for (const { glyph, x: pen } of layout.glyphs) {
    const originX = pen * style.size;
    const place = (px: number, py: number): [number, number] => {
      const x = originX + px * scale + style.shear * py * scale;
      return [x, baseline - py * scale + style.slope * (x - middle)];
    };
    traceGlyph(raster, glyph.path.commands, place);
  }
}

function traceGlyph(
  raster: Raster,
  commands: readonly opentype.PathCommand[],
  place: (x: number, y: number) => [number, number],
): void {
  let start: [number, number] = [0, 0];
  let at: [number, number] = [0, 0];
  const to = (x: number, y: number): void => {
    const [xa, ya] = place(...at);
    const [xb, yb] = place(x, y);
    raster.line(xa, ya, xb, yb);
    at = [x, y];
  };
  for (const c of commands) {
    if (c.type === 'M') {
      to(...start);
      start = at = [c.x, c.y];
    } else if (c.type === 'L') {
      to(c.x, c.y);
    } else if (c.type === 'Q') {
      const [x0, y0] = at;
      for (let i = 1; i <= CURVE_STEPS; i++) {
        const t = i / CURVE_STEPS;
        const [a, b, d] = [(1 - t) ** 2, 2 * t * (1 - t), t * t];
        to(a * x0 + b * c.x1 + d * c.x, a * y0 + b * c.y1 + d * c.y);
      }
    } else if (c.type === 'C') {
      const [x0, y0] = at;
      for (let i = 1; i <= CURVE_STEPS; i++) {
        const t = i / CURVE_STEPS;
        const [a, b, d, e] = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3];
        to(a * x0 + b * c.x1 + d * c.x2 + e * c.x, a * y0 + b * c.y1 + d * c.y2 + e * c.y);
      }
    } else {
      to(...start);
    }
  }
  to(...start);
}

function paint(coverage: Float32Array, width: number, height: number, style: Style): Planes {
  const image = newPlanes(width, height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      const light = style.gradient.x * (x / width - 0.5) + style.gradient.y * (y / height - 0.5);
      for (let c = 0; c < 3; c++) {
        const paper = style.paper[c]! + light;
        image.channels[c]![i] = paper + (style.ink[c]! - paper) * coverage[i]!;
      }
    }
  }
  return image;
}

/** Draws one line of text: outlines, colours, then what a cheap camera does to them. `r` feeds the noise only. */
export function render(text: string, style: Style, r: Random): Picture {
  const font = loadFont(style.face);
  const layout = layOut(font, text, style);
  const raster = new Raster(Math.ceil(layout.width * style.size), Math.ceil(layout.height * style.size));
  trace(raster, layout, font, style);
  let image = paint(raster.coverage(), raster.width, raster.height, style);
  if (style.blur > 0) image = blur(image, style.blur);
  if (style.resolution < 1) image = loseResolution(image, style.resolution);
  if (style.noise > 0) image = addNoise(image, style.noise, r);
  if (style.jpegStep > 0) image = jpegArtefacts(image, style.jpegStep);
  return toPicture(image);
}
