import fc from 'fast-check';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mergePresence, NEVER_SEEN, type Presence } from '../../../../sdk/fleet/registry/presence.ts';

/** What a device and its broker say over some connections: each is opened, spoken on, and all but the last ended. */
const history = fc.record({
  connections: fc.integer({ min: 1, max: 6 }),
  endsAll: fc.boolean(),
  words: fc.integer({ min: 0, max: 3 }),
});

test('any order of arrival, doubled or late, comes to what is the case', () => {
  const property = fc.property(
    history.chain(({ connections, endsAll, words }) => {
      const said: Presence[] = [];
      for (let epoch = 1; epoch <= connections; epoch++) {
        for (let i = 0; i <= words; i++) said.push({ epoch, closed: false });
        if (epoch < connections || endsAll) said.push({ epoch, closed: true });
      }
      const truth: Presence = { epoch: connections, closed: endsAll };
      const twice = [...said, ...said];
      return fc.tuple(fc.constant(truth), fc.shuffledSubarray(twice, { minLength: twice.length }));
    }),
    ([truth, heard]) => assert.equal(heard.reduce(mergePresence, NEVER_SEEN), truth),
  );
  fc.assert(property, { numRuns: 2000, seed: 5 });
});

test.run();
