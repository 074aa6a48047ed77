import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Desired } from '../../../../sdk/device/link/link-state.ts';
import { firstThatHas, Refresher } from '../../../../sdk/device/service/refresher.ts';
import { EigenError } from '../../../../sdk/util/errors.ts';
import { codeOf } from '../../../support/fake-model.ts';
import { assign, blobOf } from '../../../support/versions.ts';

const wanted = (rev: number, version: number, action: Desired['action'] = 'install'): Desired => ({
  ...{ type: 'desired', rev, action },
  target: new Uint8Array(Buffer.from(blobOf(version).sha256, 'hex')),
});

function setUp() {
  const state = {
    assigned: assign(1),
    refreshes: 0,
    problem: undefined as unknown,
    passing: undefined as unknown,
    now: 0,
  };
  const link: { desired: Desired | undefined } = { desired: wanted(1, 1) };
  const refused: unknown[] = [];
  const refresher = new Refresher({
    trust: {
      get assignment() {
        return state.assigned;
      },
      async refresh() {
        state.refreshes++;
        if (state.problem) throw state.problem;
        const passing = state.passing;
        state.passing = undefined;
        if (passing) throw passing;
        return state.assigned;
      },
    },
    link,
    source: { fetch: async () => undefined },
    clock: { now: () => state.now, monotonic: () => state.now },
    refused: (e) => refused.push(e),
  });
  return { state, link, refresher, refused };
}

test('metadata is fetched when something changed, and before it expires', async () => {
  const { state, link, refresher } = setUp();
  await Promise.all([refresher.assignment(), refresher.assignment()]);
  assert.is(state.refreshes, 1);
  await refresher.assignment();
  assert.is(state.refreshes, 1);
  link.desired = wanted(2, 2);
  assert.is((await refresher.assignment())?.release, 1);
  await refresher.assignment();
  assert.is(state.refreshes, 3, 'until it is signed');
  state.assigned = assign(2);
  assert.is((await refresher.assignment())?.release, 2);
  await refresher.assignment();
  assert.is(state.refreshes, 3);
  state.now += 7 * 3_600_000;
  await refresher.assignment();
  assert.is(state.refreshes, 4);
});

test('what is to wait is not assigned; what is refused is told', async () => {
  const { state, link, refresher, refused } = setUp();
  link.desired = wanted(1, 1, 'pause');
  assert.is(await refresher.assignment(), undefined);
  link.desired = wanted(2, 1);
  state.problem = new EigenError('EW7006_METADATA_REFUSED', 'no', { details: { attack: 'freeze' } });
  assert.is(await codeOf(refresher.assignment()), 'EW7006_METADATA_REFUSED');
  assert.equal(refused, [state.problem]);
  state.problem = undefined;
  assert.is((await refresher.assignment())?.release, 1);
});

test('what was assigned before it was listed here is looked up again before it is refused', async () => {
  const { state, refresher, refused } = setUp();
  const unlisted = new EigenError('EW7006_METADATA_REFUSED', 'no', { details: { attack: 'arbitrary-installation' } });
  state.passing = unlisted;
  assert.is((await refresher.assignment())?.release, 1);
  assert.is(state.refreshes, 2);
  assert.equal(refused, []);
  const another = setUp();
  another.state.problem = unlisted;
  assert.is(await codeOf(another.refresher.assignment()), 'EW7006_METADATA_REFUSED');
  assert.equal(another.refused, [unlisted]);
});

test('the first source that has a file', async () => {
  const has = { fetch: async () => Uint8Array.of(1) };
  const none = { fetch: async () => undefined };
  const broken = { fetch: () => Promise.reject(new EigenError('EW7104_SOURCE_FAILED', 'no')) };
  assert.equal(await firstThatHas([none, broken, has]).fetch('root', 1, 10), Uint8Array.of(1));
  assert.is(await firstThatHas([none, none]).fetch('root', 1, 10), undefined);
  assert.is(await codeOf(firstThatHas([broken, none]).fetch('root', 1, 10)), 'EW7104_SOURCE_FAILED');
});

test.run();
