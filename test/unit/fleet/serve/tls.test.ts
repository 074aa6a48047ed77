// timeout: 120
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { request as httpsRequest } from 'node:https';
import { PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { hashOfSecret } from '../../../../sdk/fleet/access/secrets.ts';
import { type Answer, TestController, TestDevice } from '../../../support/fleet/running.ts';
import { until } from '../../../support/until.ts';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function signingRequest(name: string): Promise<{ pem: string; key: string }> {
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
  const request = await Pkcs10CertificateRequestGenerator.create({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: ALGORITHM,
  });
  const key = PemConverter.encode(
    await webcrypto.subtle.exportKey('pkcs8', keys.privateKey as webcrypto.CryptoKey),
    'PRIVATE KEY',
  );
  return { pem: request.toString('pem'), key };
}

/** A POST to the API that trusts its authority. */
function post(url: string, ca: string, token: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    };
    const request = httpsRequest(url, { method: 'POST', ca, headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve(JSON.parse(Buffer.concat(chunks).toString()));
    });
    request.on('error', reject);
    request.end(text);
  });
}

test('with TLS devices get certificates for keys of their own, and are who these say', async () => {
  const controller = await TestController.start({ tls: true });
  const { url, brokerUrl, fleet } = controller.running;
  try {
    assert.match(url, /^https:/);
    assert.match(brokerUrl, /^mqtts:/);
    const ca = (await controller.file('authority.crt')).toString();
    const enrol = async (device: string, request?: string): Promise<Answer> => {
      const { token } = await post(`${url}/v1/enrolments`, ca, controller.token, {});
      return post(`${url}/v1/enrol`, ca, '', { token, device, ...(request ? { request } : {}) });
    };
    const { pem, key } = await signingRequest('somebody-else');
    const given = await enrol('cam', pem);
    assert.is(given.ca.trim(), ca.trim());
    const tls = { ca: Buffer.from(ca), cert: Buffer.from(given.certificate), key: Buffer.from(key) };
    const device = new TestDevice(brokerUrl, 'cam', '', tls);
    await device.connect();
    await device.transport.close();

    // The certificate is for cam, whatever its request asked for and its connection is called.
    const other = new TestDevice(brokerUrl, 'somebody-else', '', tls);
    await until('another name is refused', () => other.problems.length > 0);
    await other.transport.close();
    assert.match((await enrol('cam2')).error.message, /signing request is missing/);
    assert.match((await enrol('cam3', 'nonsense')).error.message, /cannot be read/);

    // A certificate that was replaced holds no more.
    const again = await signingRequest('cam');
    await enrol('cam', again.pem);
    const old = new TestDevice(brokerUrl, 'cam', '', tls);
    await until('an old certificate is refused', () => old.problems.length > 0);
    await old.transport.close();
    const rows = await fleet.database.query<{ kind: string; hash: string }>('select kind, hash from credentials');
    assert.is(rows.length, 1);
    assert.not.equal(rows[0], { kind: 'certificate', hash: hashOfSecret(given.certificate) });
  } finally {
    await controller.remove();
  }
});

test.run();
