import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lockFolder } from '../../../../sdk/device/service/lock.ts';
import { codeOf } from '../../../support/fake-model.ts';
import { projectRoot } from '../../../support/shared.ts';

test('one process at a time; what is given back or whose process died can be taken', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'ew-lock-'));
  try {
    const module = join(projectRoot, 'sdk/device/service/lock.ts');
    const other = `import { lockFolder } from '${module}'; await lockFolder('${folder}'); process.kill(process.pid, 'SIGKILL')`;
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', other], {
      cwd: projectRoot,
    });
    assert.is(run.signal, 'SIGKILL', `${run.stderr}`);
    const release = await lockFolder(folder);
    assert.is(await codeOf(lockFolder(folder)), 'EW1006_STATE_IN_USE');
    await release();
    await (await lockFolder(folder))();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.run();
