import { createHash } from 'node:crypto';
import { inflateSync } from 'node:zlib';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { drawLine, drawLines } from '../../../examples/01-read-text/lines.ts';
import { encodePng } from '../../../examples/01-read-text/png.ts';
import { createRandom } from '../../../examples/01-read-text/random.ts';
import { Raster } from '../../../examples/01-read-text/raster.ts';

const sum = (a: Float32Array): number => a.reduce((x, y) => x + y, 0);

test('raster: coverage of a polygon is its area, pixel by pixel for a rectangle', () => {
  const raster = new Raster(8, 6);
  const corners = [1.25, 1.5, 6.5, 1.5, 6.5, 4.75, 1.25, 4.75];
  for (let i = 0; i < 8; i += 2)
    raster.line(corners[i]!, corners[i + 1]!, corners[(i + 2) % 8]!, corners[(i + 3) % 8]!);
  const c = raster.coverage();
  assert.ok(Math.abs(sum(c) - 5.25 * 3.25) < 1e-5);
  assert.is(c[2 * 8 + 3], 1);
  assert.ok(Math.abs(c[1 * 8 + 1]! - 0.75 * 0.5) < 1e-6);
  assert.ok(Math.abs(c[4 * 8 + 6]! - 0.5 * 0.75) < 1e-6);
  assert.is(c[0], 0);
});

test('raster: slanted edges and a hole; direction decides what is inside', () => {
  const raster = new Raster(20, 20);
  const ring = (points: number[]): void => {
    for (let i = 0; i < points.length; i += 2) {
      const j = (i + 2) % points.length;
      raster.line(points[i]!, points[i + 1]!, points[j]!, points[j + 1]!);
    }
  };
  ring([2.3, 1.1, 18.7, 4.2, 15.1, 17.9, 3.3, 12.4]);
  ring([7, 6, 7, 9.5, 11.25, 9.5, 11.25, 6]);
  const shoelace = (p: number[]): number => {
    let a = 0;
    for (let i = 0; i < p.length; i += 2) {
      const j = (i + 2) % p.length;
      a += p[i]! * p[j + 1]! - p[j]! * p[i + 1]!;
    }
    return Math.abs(a) / 2;
  };
  const expected = shoelace([2.3, 1.1, 18.7, 4.2, 15.1, 17.9, 3.3, 12.4]) - 4.25 * 3.5;
  assert.ok(Math.abs(sum(raster.coverage()) - expected) < 1e-3);
});

test('raster: what lies outside the picture is cut off', () => {
  const raster = new Raster(4, 4);
  const square = [-3, -3, 9, -3, 9, 9, -3, 9];
  for (let i = 0; i < 8; i += 2) raster.line(square[i]!, square[i + 1]!, square[(i + 2) % 8]!, square[(i + 3) % 8]!);
  assert.equal([...raster.coverage()], new Array(16).fill(1));
});

test('a line depends on its part, index and seed only, and is the same on every machine', () => {
  const hash = createHash('sha256');
  for (let i = 0; i < 12; i++) {
    const { text, picture } = drawLine('evaluation', i);
    hash.update(`${text} ${picture.width} ${picture.height} `).update(picture.rgb);
  }
  assert.is(hash.digest('hex').slice(0, 16), 'a272b51fdf21e072');
  const later = drawLines('evaluation', 5)[3]!;
  assert.equal(later, drawLine('evaluation', 3));
  assert.is.not(drawLine('evaluation', 3, 'other').text, later.text);
});

test('calibration and evaluation share no text and no content word; two typefaces are held out', () => {
  const calibration = drawLines('calibration', 60);
  const evaluation = drawLines('evaluation', 120);
  const families = (lines: typeof calibration) => new Set(lines.map((l) => l.style.face.family));
  assert.is(new Set(evaluation.map((l) => l.text)).size, 120);
  assert.not.ok(families(calibration).has('crimson-text') || families(calibration).has('space-mono'));
  assert.ok(families(evaluation).has('crimson-text') && families(evaluation).has('space-mono'));
  const longWords = (lines: typeof calibration) =>
    new Set(lines.flatMap((l) => l.text.toLowerCase().match(/[a-z]{7,}/g) ?? []));
  const shared = [...longWords(calibration)].filter((w) => longWords(evaluation).has(w));
  const labelsAndNames =
    /^(balance|invoice|subtotal|bennett|russell|vaughan|january|february|september|october|november|december)$/;
  assert.equal(
    shared.filter((w) => !labelsAndNames.test(w)),
    [],
  );
});

test('lines fit the 48x320 pixels of the recogniser', () => {
  for (const { picture, text } of drawLines('calibration', 40)) {
    assert.ok(picture.width / picture.height <= 320 / 48 + 0.1, text);
    assert.is(picture.rgb.length, picture.width * picture.height * 3);
  }
});

test('png: signature, size, and the pixels come back', () => {
  const r = createRandom('png');
  const picture = { width: 5, height: 3, rgb: Uint8Array.from({ length: 45 }, () => r.int(0, 255)) };
  const png = Buffer.from(encodePng(picture));
  assert.is(png.toString('latin1', 1, 4), 'PNG');
  assert.equal([png.readUInt32BE(16), png.readUInt32BE(20)], [5, 3]);
  const at = png.indexOf('IDAT');
  const rows = inflateSync(png.subarray(at + 4, at + 4 + png.readUInt32BE(at - 4)));
  const back: number[] = [];
  for (let y = 0; y < 3; y++) {
    assert.is(rows[y * 16], 1);
    for (let x = 0; x < 15; x++) back.push((rows[y * 16 + 1 + x]! + (x < 3 ? 0 : back[back.length - 3]!)) & 255);
  }
  assert.equal(back, [...picture.rgb]);
  // The end chunk is the same in every PNG file, its checksum included.
  assert.is(png.subarray(-12).toString('hex'), '0000000049454e44ae426082');
});

test.run();
