import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { initKeys } from '../../../sdk/app/keys.ts';
import { publishBundle, withdrawBundle } from '../../../sdk/app/publish.ts';
import { packBundle } from '../../../sdk/bundle/index.ts';
import { MetadataStore, Repository } from '../../../sdk/fleet/trust/index.ts';
import type { EigenError } from '../../../sdk/util/errors.ts';
import { sha256 } from '../../../sdk/util/hash.ts';
import { smallSpec } from '../../support/small-bundle.ts';

const PATH = 'kws/raspberry-pi-4b/new.ewb';

test('a bundle is put where devices fetch it, listed with deltas from what they have, and withdrawn', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eigenweights-publish-'));
  const [fleet, old, now] = [join(folder, 'fleet'), join(folder, 'old.ewb'), join(folder, 'new.ewb')];
  try {
    await writeFile(old, packBundle(smallSpec()));
    await writeFile(now, packBundle(smallSpec({ toolVersion: '0.2.0' })));
    await initKeys({ folder: fleet }, { rootKeys: 1, threshold: 1 });
    const report = await publishBundle({ folder: fleet, bundle: now, family: 'kws', from: [old] });
    assert.is(report.path, PATH);
    assert.is(report.sha256, sha256(await readFile(now)));
    const store = new MetadataStore(join(fleet, 'metadata'));
    const { bundle } = (await Repository.open(store)).findBlob(report.sha256, 'raspberry-pi-4b')!;
    assert.is(bundle.deltas?.[0]?.from, sha256(await readFile(old)));
    for (const blob of [bundle.blob, bundle.deltas![0]!.blob])
      assert.is(sha256(await readFile(join(fleet, 'blobs', blob.sha256))), blob.sha256);
    await withdrawBundle({ folder: fleet }, PATH);
    assert.is((await Repository.open(store)).find(PATH), undefined);
    for (const wrong of [
      () => withdrawBundle({ folder: fleet }, PATH),
      () => publishBundle({ folder: fleet, bundle: now, family: '../kws' }),
      () => publishBundle({ folder: fleet, bundle: now, family: 'kws', role: 'nobody' }),
    ])
      assert.is(await wrong().catch((e: EigenError) => e.code), 'EW8103_ROLES_INVALID');
    const unlisted = join(folder, 'unlisted.ewb');
    await writeFile(unlisted, packBundle(smallSpec({ toolVersion: '0.3.0' })));
    await publishBundle({ folder: fleet, bundle: unlisted, family: 'kws', role: 'nobody' }).catch(() => undefined);
    assert.not((await readdir(join(fleet, 'blobs'))).includes(sha256(await readFile(unlisted))));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.run();
