// What @peculiar/x509 needs before it is loaded.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { EigenError } from '../../util/errors.ts';
import { hashOfSecret, newId } from './secrets.ts';

// As the package has them: names of browsers' types, which Node's are the same as.
type Crypto = ReturnType<typeof x509.cryptoProvider.get>;
type CryptoKey = Awaited<ReturnType<x509.PublicKey['export']>>;
interface CryptoKeyPair {
  readonly publicKey: CryptoKey;
  readonly privateKey: CryptoKey;
}

x509.cryptoProvider.set(webcrypto as Crypto);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY = 86_400_000;
/** Clocks of devices may be behind: certificates hold from a day before. */
const BEFORE = DAY;
const AUTHORITY_DAYS = 3650;
const DEVICE_DAYS = 730;
const SERVER_DAYS = 397;

export interface KeyPair {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8. */
  readonly key: string;
}

/** Signs the certificates of this fleet: of its devices, from their requests, and of its controllers. */
export class Authority {
  readonly certificate: string;
  private readonly own: x509.X509Certificate;
  private readonly key: CryptoKey;

  private constructor(certificate: string, key: CryptoKey) {
    this.certificate = certificate;
    this.own = new x509.X509Certificate(certificate);
    this.key = key;
  }

  static async open({ certificate, key }: KeyPair): Promise<Authority> {
    const der = x509.PemConverter.decodeFirst(key);
    return new Authority(
      certificate,
      (await webcrypto.subtle.importKey('pkcs8', der, ALGORITHM, false, ['sign'])) as CryptoKey,
    );
  }

  /** A new authority: to be kept, the key in secret. */
  static async create(name: string, now: number): Promise<KeyPair> {
    const keys = await newKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: newId(),
      name: `CN=${name}`,
      ...validity(now, AUTHORITY_DAYS),
      signingAlgorithm: ALGORITHM,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    return { certificate: certificate.toString('pem'), key: await pemOf(keys.privateKey) };
  }

  /**
   * A certificate for a device, by the public key of its request; the name is ours to give.
   * @throws EigenError EW2101_REQUEST_INVALID where the request is none, or is not signed with its own key.
   */
  async issue(request: string, device: string, now: number): Promise<{ certificate: string; sha256: string }> {
    const read = await this.read(request);
    return this.sign(`CN=${device}`, await read.publicKey.export(webcrypto as Crypto), {
      now,
      days: DEVICE_DAYS,
      usage: x509.ExtendedKeyUsage.clientAuth,
    });
  }

  /** Key and certificate of a controller that is reached under these names or addresses. */
  async server(names: readonly string[], now: number): Promise<KeyPair> {
    const keys = await newKeys();
    const isAddress = (name: string): boolean => /^[\d.]+$|:/.test(name);
    const alternative = new x509.SubjectAlternativeNameExtension(
      names.map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value }) as const),
    );
    const { certificate } = await this.sign(`CN=${names[0] ?? 'controller'}`, keys.publicKey, {
      now,
      days: SERVER_DAYS,
      usage: x509.ExtendedKeyUsage.serverAuth,
      extensions: [alternative],
    });
    return { certificate, key: await pemOf(keys.privateKey) };
  }

  /** Key and certificate of who connects under a name: of a controller, on a broker elsewhere. */
  async client(name: string, now: number): Promise<KeyPair> {
    const keys = await newKeys();
    const usage = x509.ExtendedKeyUsage.clientAuth;
    const { certificate } = await this.sign(`CN=${name}`, keys.publicKey, { now, days: SERVER_DAYS, usage });
    return { certificate, key: await pemOf(keys.privateKey) };
  }

  private async read(request: string): Promise<x509.Pkcs10CertificateRequest> {
    try {
      const read = new x509.Pkcs10CertificateRequest(request);
      if (await read.verify(webcrypto as Crypto)) return read;
    } catch {
      // Said below.
    }
    throw new EigenError(
      'EW2101_REQUEST_INVALID',
      'the certificate signing request cannot be read, or is not signed with its own key',
      {
        hint: 'Send a PKCS #10 request in PEM.',
      },
    );
  }

  private async sign(
    subject: string,
    publicKey: CryptoKey,
    { now, days, usage, extensions = [] }: { now: number; days: number; usage: string; extensions?: x509.Extension[] },
  ): Promise<{ certificate: string; sha256: string }> {
    const signed = await x509.X509CertificateGenerator.create({
      serialNumber: newId(),
      subject,
      issuer: this.own.subject,
      ...validity(now, days),
      publicKey,
      signingKey: this.key,
      signingAlgorithm: ALGORITHM,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(this.own),
        ...extensions,
      ],
    });
    return { certificate: signed.toString('pem'), sha256: hashOfSecret(new Uint8Array(signed.rawData)) };
  }
}

function newKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']) as Promise<CryptoKeyPair>;
}

function validity(now: number, days: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(now - BEFORE), notAfter: new Date(now + days * DAY) };
}

async function pemOf(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key as webcrypto.CryptoKey), 'PRIVATE KEY');
}
