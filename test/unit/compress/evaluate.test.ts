import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { evaluate, heldOut, runs } from '../../../sdk/compress/evaluate.ts';
import type { Session } from '../../../sdk/compress/runner.ts';
import type { Sample } from '../../../sdk/compress/types.ts';
import { tensor } from '../../../sdk/util/tensor.ts';

const STATES = [{ input: 'h', output: 'next' }];
const samples: Sample[] = [1, 2, 3].map((x) => ({ x: tensor('f32', [1], [x]), h: tensor('f32', [1], [100 * x]) }));

/** next = x + h, off by `error` a step; the answer is next. */
function summing(error: number): Session {
  const run = async ({ x, h }: Sample) => {
    const next = tensor('f32', [1], [Number(x!.data[0]) + Number(h!.data[0]) + error]);
    return { answer: next, next };
  };
  return { run } as unknown as Session;
}

async function answers(session: Session, states = STATES): Promise<number[]> {
  const out: number[] = [];
  for await (const { answer } of runs(session, samples, states)) out.push(Number(answer!.data[0]));
  return out;
}

test('a sequence starts with the state of its first sample and carries it along', async () => {
  assert.equal(await answers(summing(0)), [101, 103, 106]);
  assert.equal(await answers(summing(0), []), [101, 202, 303]);
});

test('errors of a state add up in what candidates are judged by', async () => {
  const laps = [...samples, ...samples];
  const outputs = [];
  for await (const o of runs(summing(0), laps, STATES)) outputs.push(o);
  const held = heldOut([{ name: 'answer', kind: 'squared' }], laps, outputs, 1, { states: STATES });
  const { scores, samples: distinct } = await evaluate(summing(0.5), held);
  assert.is(distinct, 3);
  const errors = scores.map((s) => Math.sqrt(s.full - s.kept));
  assert.ok(
    errors.every((e, i) => i === 0 || e > errors[i - 1]!),
    errors.join(' '),
  );
});

test.run();
