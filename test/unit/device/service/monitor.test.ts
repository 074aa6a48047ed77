import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ModelHost } from '../../../../sdk/device/agent/host.ts';
import { Monitor } from '../../../../sdk/device/service/monitor.ts';
import { codeOf, fakeModel, four } from '../../../support/fake-model.ts';

function setUp() {
  const host = new ModelHost();
  let now = 0;
  const monitor = new Monitor(host, { residentBytes: () => 1000, monotonic: () => now++ });
  return { host, monitor };
}

test('times, failures and what applications measure, of the model that runs', async () => {
  const { host, monitor } = setUp();
  host.swap({ sha256: 'one', model: fakeModel(2) });
  for (let i = 0; i < 19; i++) await monitor.run(four(1));
  assert.is(monitor.health().p95Milliseconds, undefined);
  assert.is((await monitor.run(four(3))).outputs.y!.data[0], 6);
  monitor.measure({ right: 1 });
  monitor.measure({ right: 0 });
  assert.equal(monitor.health(), {
    runs: 20,
    failures: 0,
    p95Milliseconds: 1,
    residentBytes: 1000,
    metrics: { right: 0.5 },
  });
  host.swap({ sha256: 'two', model: fakeModel(3, { run: () => Promise.reject(new Error('it broke')) }) });
  assert.is(await codeOf(monitor.run(four(1))), 'it broke');
  assert.equal(monitor.health(), { runs: 1, failures: 1, residentBytes: 1000, metrics: {} });
});

test('limits', async () => {
  const { host, monitor } = setUp();
  host.swap({ sha256: 'one', model: fakeModel(2) });
  assert.is(monitor.problem({ p95Milliseconds: 0.5, residentBytes: 1000 }), undefined);
  assert.match(monitor.problem({ residentBytes: 999 })!, /takes 1000 bytes of memory, 999 are allowed/);
  for (let i = 0; i < 300; i++) await monitor.run(four(1));
  assert.match(monitor.problem({ p95Milliseconds: 0.5 })!, /up to 1\.00 ms, 0\.5 are allowed/);
});

test('metrics that are none are refused, wrong inputs are not failures', async () => {
  const { host, monitor } = setUp();
  host.swap({ sha256: 'one', model: fakeModel(2) });
  assert.throws(() => monitor.measure({ right: Number.NaN }), /metric 'right' is NaN/);
  assert.throws(() => monitor.measure({ 'a b': 1 }), /metric 'a b'/);
  assert.throws(() => {
    for (let i = 0; i < 33; i++) monitor.measure({ [`m${i}`]: 1 });
  }, /one too many/);
  assert.is(await codeOf(monitor.run({})), 'EW3202_DATA_INVALID');
  assert.is(monitor.health().failures, 0);
});

test.run();
