import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

/** PEM. */
export interface NewKey {
  readonly key: string;
  /** PKCS #10: asks for a certificate of the key under a name. */
  readonly request: string;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const UTF8 = 0x0c;
/** Attributes: there are none. */
const ATTRIBUTES = 0xa0;
const COMMON_NAME = Buffer.from('0603550403', 'hex');
const ECDSA_SHA256 = Buffer.from('06082a8648ce3d040302', 'hex');

/** A new key on P-256, which the certificates of a controller's authority are of, and the request for one (RFC 2986). */
export function newKey(commonName: string): NewKey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { key, request: requestFor(createPrivateKey(key), commonName) };
}

function requestFor(key: KeyObject, commonName: string): string {
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8, Buffer.from(commonName)))));
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const info = der(SEQUENCE, der(INTEGER, Buffer.of(0)), name, publicKey, der(ATTRIBUTES));
  const signature = der(BIT_STRING, Buffer.of(0), sign('sha256', info, key));
  return pem('CERTIFICATE REQUEST', der(SEQUENCE, info, der(SEQUENCE, ECDSA_SHA256), signature));
}

/** A value of DER: tag, length, content. */
function der(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  const digits: number[] = [];
  for (let rest = body.length; rest > 0; rest >>= 8) digits.unshift(rest & 0xff);
  const length = body.length < 0x80 ? [body.length] : [0x80 | digits.length, ...digits];
  return Buffer.concat([Buffer.of(tag, ...length), body]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
