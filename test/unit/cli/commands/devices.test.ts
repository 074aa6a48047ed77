import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { runCli } from '../../../../sdk/cli/app.ts';
import { COMMANDS } from '../../../../sdk/cli/commands/index.ts';
import { fakeIo } from '../../../support/cli-io.ts';

test('what a verb does not take, or cannot do without, is refused before anything is asked', async () => {
  for (const [line, problem] of [
    ['tag camera-7', /devices tag: say --tag NAME=VALUE/],
    ['tag --tag site=lab', /devices tag: say which/],
    ['remove', /devices remove: say which/],
    ['remove camera-7 --tag site=lab', /devices remove: --tag is for list and tag/],
    ['tag camera-7 --tag site=lab --board host', /devices tag: --board is for list/],
    ['show camera-7 --away', /devices show: --away is for list/],
    ['list camera-7', /devices list: it takes no DEVICE, 'camera-7' was given/],
  ] as const) {
    const io = fakeIo({});
    assert.is(await runCli(['devices', ...line.split(' ')], COMMANDS, io), 2, line);
    assert.match(io.err(), problem);
  }
});

test.run();
