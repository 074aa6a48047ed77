import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { passGate, Shadow } from '../../../../sdk/device/agent/gate.ts';
import { ModelHost } from '../../../../sdk/device/agent/host.ts';
import type { LoadedModel } from '../../../../sdk/device/agent/model.ts';
import { EigenError } from '../../../../sdk/util/errors.ts';
import { tensor } from '../../../../sdk/util/tensor.ts';

interface Fake extends LoadedModel {
  closed: boolean;
  seen: number[];
}

function model(version: number, change: Partial<LoadedModel> = {}): Fake {
  const fake: Fake = {
    closed: false,
    seen: [],
    signature: { inputs: [], outputs: [] },
    modelBytes: 100,
    async run(inputs) {
      fake.seen.push(Number(inputs.x?.data[0]));
      return { y: tensor('f32', [1], [version]) };
    },
    runGolden: async () => [1, 2, 3],
    close() {
      fake.closed = true;
    },
    ...change,
  };
  return fake;
}

const inputs = (x: number) => ({ x: tensor('f32', [1], [x]) });
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => '',
    (e) => e.code ?? e.message,
  );

test('without a model it says so', async () => {
  assert.is(await codeOf(new ModelHost().run({})), 'EW5003_ENGINE_UNAVAILABLE');
});

test('an inference that has begun ends on its model, which is closed after that', async () => {
  const host = new ModelHost();
  let end = (): void => undefined;
  const slow = model(1, {
    run: () =>
      new Promise((resolve) => {
        end = () => resolve({ y: tensor('f32', [1], [1]) });
      }),
  });
  host.swap({ sha256: 'one', model: slow });
  const begun = host.run(inputs(0));
  const two = model(2);
  host.swap({ sha256: 'two', model: two });
  assert.is((await host.run(inputs(0))).y!.data[0], 2);
  assert.not(slow.closed);
  end();
  assert.is((await begun).y!.data[0], 1);
  assert.ok(slow.closed);
  host.swap();
  assert.ok(two.closed);
  assert.is(host.serving, undefined);
});

test('swaps under load: every inference is answered by one model', async () => {
  const host = new ModelHost();
  const models = Array.from({ length: 500 }, (_, i) => model(i));
  host.swap({ sha256: '0', model: models[0]! });
  const answers: Promise<unknown>[] = [];
  for (let i = 1; i < models.length; i++) {
    answers.push(host.run(inputs(i)), host.run(inputs(i)));
    host.swap({ sha256: `${i}`, model: models[i]! });
  }
  assert.is((await Promise.all(answers)).length, 998);
  assert.is(models.filter((m) => !m.closed).length, 1);
  assert.is(host.problem, undefined);
});

test("failures are the model's, wrong inputs are not", async () => {
  const host = new ModelHost();
  host.swap({
    sha256: 'bad',
    model: model(1, {
      run: async ({ x }) => {
        throw x ? new Error('it broke') : new EigenError('EW3202_DATA_INVALID', 'no x');
      },
    }),
  });
  assert.is(await codeOf(host.run({})), 'EW3202_DATA_INVALID');
  assert.is(host.problem, undefined);
  assert.is(await codeOf(host.run(inputs(1))), 'it broke');
  assert.is(host.problem, '1 inferences failed: it broke');
});

test('gate: outputs, times and memory', async () => {
  await passGate(model(1), { p95Milliseconds: 3, modelBytes: 100 });
  assert.is(await codeOf(passGate(model(1), { modelBytes: 99 })), 'EW7005_GATE_FAILED');
  assert.is(await codeOf(passGate(model(1), { p95Milliseconds: 2.9 })), 'EW7005_GATE_FAILED');
  assert.is(await codeOf(passGate(model(1, { runGolden: async () => [] }), {})), 'EW7005_GATE_FAILED');
  const wrong = model(1, {
    runGolden: async () => {
      throw new EigenError('EW6004_SELF_TEST_FAILED', 'other outputs');
    },
  });
  assert.is(await codeOf(passGate(wrong, {})), 'EW6004_SELF_TEST_FAILED');
});

test('shadow: live inputs as they were, after they were answered, as many as asked for', async () => {
  const host = new ModelHost();
  host.swap({ sha256: 'one', model: model(1) });
  const candidate = model(2);
  const shadow = new Shadow(candidate, 2);
  host.shadowWith(shadow);
  assert.not(shadow.passed({}));
  for (let i = 1; i <= 4; i++) {
    const given = inputs(i);
    assert.is((await host.run(given)).y!.data[0], 1);
    given.x.data[0] = -1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(candidate.seen, [1, 2]);
  assert.ok(shadow.passed({}));
  assert.throws(() => shadow.passed({ p95Milliseconds: 0 }), /95 % of inferences/);
});

test('shadow: what throws or is not finite does not pass, and live inferences do not notice', async () => {
  const broken = [
    model(2, { run: async () => ({ y: tensor('f32', [1], [Number.NaN]) }) }),
    model(2, { run: () => Promise.reject(new Error('it broke')) }),
  ];
  for (const candidate of broken) {
    const host = new ModelHost();
    host.swap({ sha256: 'one', model: model(1) });
    const shadow = new Shadow(candidate, 3);
    host.shadowWith(shadow);
    assert.is((await host.run(inputs(1))).y!.data[0], 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.not(shadow.wantsMore);
    assert.throws(() => shadow.passed({}), /live input/);
    assert.is(host.problem, undefined);
  }
});

test.run();
