import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { allOf, OutputCollector, samplesOf } from '../../../sdk/data/samples.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

const image = { name: 'x', dtype: 'f32', shape: [1, 2, 3] } as const;
const invalid = (f: () => unknown, text: string): void =>
  assert.throws(
    f,
    (e: unknown) => isEigenError(e) && e.code === 'EW3202_DATA_INVALID' && e.message.includes(text),
    text,
  );

test('the first axis is the sample, a batch of one may be written or left out', () => {
  const data = Array.from({ length: 12 }, (_, i) => i);
  for (const shape of [
    [2, 2, 3],
    [2, 1, 2, 3],
  ]) {
    const samples = samplesOf({ x: tensor('f32', shape, data) }, [image]);
    assert.is(samples.count, 2);
    assert.equal(samples.at(1).x!.shape, [1, 2, 3]);
    assert.equal([...(samples.at(1).x!.data as Float32Array)], data.slice(6));
  }
});

test('scalars and larger batches take one more axis', () => {
  assert.equal(
    samplesOf({ s: tensor('i64', [3], [5, 6, 7]) }, [{ name: 's', dtype: 'i64', shape: [] }]).at(2).s!.shape,
    [],
  );
  assert.is(samplesOf({ x: tensor('f32', [3, 4, 2]) }, [{ name: 'x', dtype: 'f32', shape: [4, 2] }]).count, 3);
});

test('every way of being wrong names the array', () => {
  const ok = tensor('f32', [2, 2, 3]);
  invalid(() => samplesOf({ y: ok }, [image]), "no array 'x', there are: y");
  invalid(() => samplesOf({ x: tensor('f32', [2, 3, 2]) }, [image]), "'x' has shape [2, 3, 2]");
  invalid(() => samplesOf({ x: tensor('f32', []) }, [image]), "'x' has shape []");
  invalid(() => samplesOf({ x: tensor('f32', [0, 2, 3]) }, [image]), 'holds no samples');
  invalid(() => samplesOf({ x: ok, z: ok }, [image]), "'z' is no input");
  invalid(
    () => samplesOf({ x: ok, z: tensor('f32', [3, 2, 3]) }, [image, { ...image, name: 'z' }]),
    "'z' holds 3 samples, others 2",
  );
  const nan = tensor('f32', [2, 2, 3]);
  nan.data[7] = Number.NaN;
  invalid(() => samplesOf({ x: nan }, [image]), "'x', sample 1: the value is NaN");
});

test('types are converted where every value survives', () => {
  const ids = { name: 'ids', dtype: 'i64', shape: [2] } as const;
  const flag = { name: 'flag', dtype: 'bool', shape: [] } as const;
  const samples = allOf(
    samplesOf(
      {
        x: tensor('f64', [1, 2, 3], [0.1, 2, 3, 4, 5, 6]),
        ids: tensor('i32', [1, 2], [-7, 8]),
        flag: tensor('i64', [1], [1]),
      },
      [image, ids, flag],
    ),
  );
  assert.equal([...(samples[0]!.x!.data as Float32Array)], [Math.fround(0.1), 2, 3, 4, 5, 6]);
  assert.equal([samples[0]!.ids!.dtype, ...(samples[0]!.ids!.data as BigInt64Array)], ['i64', -7n, 8n]);
  assert.equal([samples[0]!.flag!.dtype, ...(samples[0]!.flag!.data as Uint8Array)], ['bool', 1]);
  assert.is(samplesOf({ x: tensor('u8', [2, 2, 3]) }, [image]).at(1).x!.dtype, 'f32');
});

test('a value that does not survive is named', () => {
  const big = tensor('f64', [1, 2, 3], [0, 0, 0, 0, 1e39, 0]);
  invalid(() => samplesOf({ x: big }, [image]), "'x', sample 0: the value is 1e+39 and does not fit into f32");
  const byte = { name: 'b', dtype: 'i8', shape: [] } as const;
  invalid(() => samplesOf({ b: tensor('i64', [2], [5, 128]) }, [byte]), "'b', sample 1: the value is 128");
  invalid(() => samplesOf({ b: tensor('f32', [1], [1]) }, [byte]), "'b' is f32, the model takes i8");
  invalid(() => samplesOf({ x: tensor('i32', [1, 2, 3], [0, 0, 0, 0, 0, 2 ** 24 + 1]) }, [image]), '16777217');
});

test('labels and fixed inputs may be there', () => {
  const x = tensor('f32', [2, 2, 3]);
  assert.is(samplesOf({ x, labels: tensor('i32', [2]) }, [image], { extra: ['labels'] }).count, 2);
  assert.is(samplesOf({ x, sr: tensor('i64', [2], [16000, 16000]) }, [image], { fixed: { sr: 16000 } }).count, 2);
  invalid(
    () => samplesOf({ x, sr: tensor('i64', [1], [8000]) }, [image], { fixed: { sr: 16000 } }),
    'built with sr=16000',
  );
});

test('outputs are collected along a sample axis', () => {
  const all = new OutputCollector(2);
  all.add(1, { y: tensor('f32', [1, 2], [3, 4]), n: tensor('i64', [], [9]) });
  all.add(0, { y: tensor('f32', [1, 2], [1, 2]), n: tensor('i64', [], [8]) });
  const { y, n } = all.result();
  assert.equal(
    [y!.shape, [...(y!.data as Float32Array)]],
    [
      [2, 2],
      [1, 2, 3, 4],
    ],
  );
  assert.equal([n!.shape, [...(n!.data as BigInt64Array)]], [[2], [8n, 9n]]);
});

test('floats become codes where an input says what codes stand for, codes are taken as they are', () => {
  const input = { name: 'past', dtype: 'i8' as const, shape: [1, 2], scale: 0.5 };
  const floats = samplesOf({ past: tensor('f32', [1, 2], [1, -3.6]) }, [input]);
  assert.equal(floats.at(0).past, tensor('i8', [1, 2], Int8Array.of(2, -7)));
  const codes = samplesOf({ past: tensor('i8', [1, 2], Int8Array.of(5, -6)) }, [input]);
  assert.equal(codes.at(0).past!.data, Int8Array.of(5, -6));
  assert.throws(() => samplesOf({ past: tensor('f32', [1, 2], [Number.NaN, 0]) }, [input]), /NaN/);
});

test.run();
