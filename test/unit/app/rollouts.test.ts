import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { describeRollout, publishedVersion } from '../../../sdk/app/rollouts.ts';
import { isEigenError } from '../../../sdk/util/errors.ts';

const [A, B, C] = ['a'.repeat(64), 'b'.repeat(64), 'c'.repeat(64)];

/** What a controller lists. */
const client = {
  ask: async <T>(): Promise<T> =>
    ({
      bundles: [
        { path: 'kws/pi-5/2', family: 'kws', board: 'pi-5', sha256: A },
        { path: 'kws/nano/kws-2.ewb', family: 'kws', board: 'nano', sha256: B },
        { path: 'kws/pi-5/kws-1.ewb', family: 'kws', board: 'pi-5', sha256: C },
        { path: 'eigenweights-agent/pi-5/0.2.0', family: 'eigenweights-agent', board: 'pi-5', sha256: A },
        { path: 'other/pi-5/2', family: 'other', board: 'pi-5', sha256: C },
      ],
    }) as T,
};

test('a version is the bundles of its family and name, one a board', async () => {
  assert.equal(await publishedVersion(client, 'kws@2'), {
    kind: 'model',
    variants: [
      { sha256: A, board: 'pi-5' },
      { sha256: B, board: 'nano' },
    ],
  });
  assert.equal((await publishedVersion(client, 'kws@1')).variants, [{ sha256: C, board: 'pi-5' }]);
  assert.equal(await publishedVersion(client, 'eigenweights-agent@0.2.0'), {
    kind: 'agent',
    variants: [{ sha256: A, board: 'pi-5' }],
  });
  const missing = await publishedVersion(client, 'kws@3').catch((e: unknown) => e);
  assert.ok(isEigenError(missing) && missing.code === 'EW2102_NOT_FOUND' && /published as kws@3/.test(missing.message));
});

test('what a description lacks is said, with what to write', async () => {
  const fields = { name: 'kws@2', query: 'all', variants: [{ sha256: A, board: 'pi-5' }] };
  const e = await describeRollout({ fields }).catch((x: unknown) => x);
  assert.ok(isEigenError(e) && e.code === 'EW1012_ROLLOUT_INVALID' && e.message === 'waves is missing');
  assert.match(e.hint!, /--waves 5,25%,100%/);
  const whole = { ...fields, waves: [{ share: 1 }], gate: { soakMilliseconds: 5 } };
  assert.equal(await describeRollout({ fields: whole }), whole);
});

test.run();
