import 'reflect-metadata';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { Pkcs10CertificateRequest } from '@peculiar/x509';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { newKey } from '../../../../sdk/device/service/certificate-request.ts';

test('a request that another implementation reads and whose signature holds', async () => {
  for (const name of ['cam', 'x'.repeat(64)]) {
    const { key, request } = newKey(name);
    const read = new Pkcs10CertificateRequest(request);
    assert.is(read.subject, `CN=${name}`);
    assert.ok(await read.verify());
    const own = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' });
    assert.equal(Buffer.from(read.publicKey.rawData), own);
  }
});

test.run();
