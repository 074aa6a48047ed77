import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseRollout } from '../../../../sdk/fleet/rollout/spec.ts';
import { isEigenError } from '../../../../sdk/util/errors.ts';
import { specOf } from '../../../support/fleet/rollout-simulation.ts';

test('what is left out is filled in', () => {
  const spec = parseRollout(specOf());
  assert.is(spec.onStop, 'revert');
  assert.equal(spec.gate.errors, { share: 0.1, afterExecuted: 10 });
  assert.equal(spec.retries, { most: 2, waitMilliseconds: 60_000 });
});

const wrong: readonly [object, RegExp][] = [
  [{ query: 'bord = 1' }, /^query: query, character 1: 'bord' is no fact/],
  [{ waves: [] }, /^waves: /],
  [{ waves: [{ share: 0.5 }] }, /^waves.0: the last wave must reach everybody/],
  [{ waves: [{ share: 0.5 }, { share: 0.2 }, { share: 1 }] }, /^waves.1.share: 0.2 is not above 0.5/],
  [{ waves: [{ count: 0 }, { share: 1 }] }, /^waves.0/],
  [{ variants: [] }, /^variants: /],
  [{ variants: [{ sha256: 'x', board: 'b' }] }, /^variants.0.sha256: must be a SHA-256/],
  [
    { gate: { soakMilliseconds: 1, metrics: [{ name: 'a', better: 'higher', margin: 0.1 }] } },
    /^control: metrics are compared/,
  ],
  [
    { control: { count: 3 }, gate: { metrics: [{ name: 'a', better: 'lower', margin: 0.1 }] } },
    /^gate.soakMilliseconds: /,
  ],
  [{ windows: [{ from: '25:00', to: '03:00' }] }, /^windows.0.from: must be a time/],
  [{ wavs: [] }, /^wavs: /],
  [{ name: 'a/b' }, /^name: must be 1 to 64/],
];

test('what makes no sense is refused by its field', () => {
  for (const [more, message] of wrong) {
    let error: unknown;
    try {
      parseRollout({ ...specOf(), ...more });
    } catch (e) {
      error = e;
    }
    assert.ok(isEigenError(error) && error.code === 'EW1012_ROLLOUT_INVALID', JSON.stringify(more));
    assert.match(error.message, message);
  }
});

test.run();
