import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeArrays } from '../../sdk/index.ts';
import { decodePng, type Picture } from './png.ts';
import { argmax, floatsOf, type QualityTask } from './task.ts';

const FOLDER = 'ocr_ppocr4_rec';
const HEIGHT = 48;
const NARROWEST = 16;
const WIDEST = 640;

interface Line {
  readonly path: string;
  readonly text: string;
}

/**
 * Text lines of one bucket of widths (pixels at height 48, above `above`, up to `width`), padded to `width`: a program has one shape,
 * so a bucket is a bundle of its own. The metric is 1 - character errors / characters.
 */
export function textLines(width: number, above: number): QualityTask {
  const within = (wide: number): boolean => wide > above && wide <= width;
  const pick = async (models: string, part: string): Promise<[Line, Float32Array][]> => {
    const picked: [Line, Float32Array][] = [];
    for (const line of await linesOf(models, part)) {
      const picture = decodePng(await readFile(line.path));
      const wide = widthOf(picture);
      if (within(wide)) picked.push([line, pixelsOf(picture, wide, width)]);
    }
    return picked;
  };
  return {
    id: `${FOLDER}_${width}`,
    model: join(FOLDER, 'model.onnx'),
    dims: { 'p2o.DynamicDimension.1': width },
    metric: '1 - CER',
    measure: 'share',
    rows: 'softmax',
    published: { score: 0.975, samples: 240 },
    async calibration(models, folder) {
      // Lines of every width that fits: padded more than they need, but a bucket of few lines has no others.
      const picked: Float32Array[] = [];
      for (const line of await linesOf(models, 'calib/')) {
        const picture = decodePng(await readFile(line.path));
        const wide = widthOf(picture);
        if (wide <= width) picked.push(pixelsOf(picture, wide, width));
      }
      const data = new Float32Array(picked.length * 3 * HEIGHT * width);
      for (const [i, p] of picked.entries()) data.set(p, i * p.length);
      const path = join(folder, 'calib.npz');
      await writeArrays(path, { x: { dtype: 'f32', shape: [picked.length, 3, HEIGHT, width], data } });
      return path;
    },
    async evaluation(models) {
      const lines = await pick(models, 'eval/');
      const keys = (await readFile(join(models, FOLDER, 'ppocr_keys_v1.txt'), 'utf8'))
        .replace(/\n$/, '')
        .split(/\r?\n/);
      const charset = ['', ...keys, ' '];
      return {
        count: lines.length,
        inputs: async (i) => ({ x: { dtype: 'f32', shape: [1, 3, HEIGHT, width], data: lines[i]![1] } }),
        score: (i, output) => {
          const { text } = lines[i]![0];
          return [[...text].length - editDistance(text, decodeCtc(floatsOf(output), charset)), [...text].length];
        },
      };
    },
  };
}

async function linesOf(models: string, part: string): Promise<Line[]> {
  const labels = JSON.parse(await readFile(join(models, FOLDER, 'labels.json'), 'utf8')) as Record<string, string>;
  return Object.entries(labels)
    .filter(([file]) => file.startsWith(part))
    .map(([file, text]) => ({ path: join(models, FOLDER, file), text }));
}

function widthOf({ width, height }: Picture): number {
  return Math.min(WIDEST, Math.max(NARROWEST, Math.ceil((width * HEIGHT) / height)));
}

/** [3, 48, padded]: blue, green, red, resized bilinearly with pixel centres, x / 127.5 - 1, zeros to the right. */
function pixelsOf({ width, height, rgb }: Picture, wide: number, padded: number): Float32Array {
  const out = new Float32Array(3 * HEIGHT * padded);
  for (let y = 0; y < HEIGHT; y++) {
    const v = between(((y + 0.5) * height) / HEIGHT - 0.5, height);
    for (let x = 0; x < wide; x++) {
      const u = between(((x + 0.5) * width) / wide - 0.5, width);
      for (let c = 0; c < 3; c++) {
        const at = (row: number, column: number): number => rgb[(row * width + column) * 3 + 2 - c]!;
        const top = at(v.low, u.low) * (1 - u.share) + at(v.low, u.high) * u.share;
        const bottom = at(v.high, u.low) * (1 - u.share) + at(v.high, u.high) * u.share;
        out[(c * HEIGHT + y) * padded + x] = (top * (1 - v.share) + bottom * v.share) / 127.5 - 1;
      }
    }
  }
  return out;
}

/** The two pixels that a position lies between, and how far from the first. */
function between(position: number, size: number): { low: number; high: number; share: number } {
  const inside = Math.min(size - 1, Math.max(0, position));
  const low = Math.floor(inside);
  return { low, high: Math.min(size - 1, low + 1), share: inside - low };
}

/** Greedy: the best class of every step, repeats merged, class 0 dropped. */
function decodeCtc(scores: Float32Array, charset: readonly string[]): string {
  let [text, before] = ['', 0];
  for (let at = 0; at < scores.length; at += charset.length) {
    const best = argmax(scores, at, charset.length);
    if (best !== before) text += charset[best];
    before = best;
  }
  return text.trim();
}

/** Insertions, deletions and substitutions of characters from `a` to `b`. */
function editDistance(a: string, b: string): number {
  const [s, t] = [[...a], [...b]];
  let row = Array.from({ length: t.length + 1 }, (_, j) => j);
  for (const [i, ch] of s.entries()) {
    const next = [i + 1];
    for (const [j, other] of t.entries())
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + Number(ch !== other)));
    row = next;
  }
  return row[t.length]!;
}
