import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { Signature } from '@tufjs/models';
import { EigenError } from '../../util/errors.ts';
import { sha256 } from '../../util/hash.ts';

/** An Ed25519 key as metadata names it. */
export interface PublicKey {
  /** SHA-256 of the key's canonical JSON. */
  readonly id: string;
  /** 32 bytes, 64 hex digits. */
  readonly hex: string;
}

/** Signs as one key. The secret stays inside: it is in no property, and so in no log. */
export class Signer {
  readonly key: PublicKey;
  readonly #secret: KeyObject;

  private constructor(secret: KeyObject) {
    this.#secret = secret;
    this.key = publicKey(publicHex(secret));
  }

  static generate(): Signer {
    return new Signer(generateKeyPairSync('ed25519').privateKey);
  }

  /**
   * From PEM, PKCS 8.
   * @param where the text is from, for the error.
   * @throws EigenError EW8101_KEY_UNUSABLE.
   */
  static fromPem(pem: string, where: string): Signer {
    let secret: KeyObject | undefined;
    try {
      secret = createPrivateKey(pem);
    } catch {
      // What the platform says of it may quote it.
    }
    if (secret?.asymmetricKeyType !== 'ed25519') throw keyUnusable(where, 'it is no Ed25519 key in PEM form');
    return new Signer(secret);
  }

  /** The secret as PEM, for a file that nobody else may read. */
  exportPem(): string {
    return this.#secret.export({ format: 'pem', type: 'pkcs8' }).toString();
  }

  sign(data: Uint8Array): Signature {
    return new Signature({ keyID: this.key.id, sig: sign(null, data, this.#secret).toString('hex') });
  }
}

/** A key as metadata writes it. */
export interface KeyJson {
  readonly keytype: string;
  readonly scheme: string;
  readonly keyval: { readonly public: string };
}

export function keyJson({ hex }: PublicKey): KeyJson {
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: hex } };
}

/** A public key from its 64 hex digits. @throws EigenError EW8101_KEY_UNUSABLE. */
export function publicKey(hex: string): PublicKey {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw keyUnusable(hex.slice(0, 80), 'a public key has 64 hex digits');
  return { hex, id: sha256(`{"keytype":"ed25519","keyval":{"public":"${hex}"},"scheme":"ed25519"}`) };
}

/**
 * From PEM, SPKI: what whoever keeps the secret half gives away.
 * @param where the text is from, for the error.
 * @throws EigenError EW8101_KEY_UNUSABLE, also for a secret key: it would have to stay with its owner.
 */
export function publicKeyFromPem(pem: string, where: string): PublicKey {
  if (pem.includes('PRIVATE KEY')) throw keyUnusable(where, 'it is the secret half of a key, give the public one');
  let key: KeyObject | undefined;
  try {
    key = createPublicKey(pem);
  } catch {
    // No PEM, or not of a key.
  }
  if (key?.asymmetricKeyType !== 'ed25519') throw keyUnusable(where, 'it is no public Ed25519 key in PEM form');
  return publicKey(publicHex(key));
}

/** A public key as PEM, SPKI. */
export function publicPem({ hex }: PublicKey): string {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ format: 'pem', type: 'spki' }).toString();
}

export function keyUnusable(where: string, what: string): EigenError {
  return new EigenError('EW8101_KEY_UNUSABLE', `${where}: ${what}`, {
    hint: 'Keys are made by eigenweights keys init and rotate, one file each that only its owner may read.',
    details: { where },
  });
}

function publicHex(key: KeyObject): string {
  const { x } = (key.type === 'public' ? key : createPublicKey(key)).export({ format: 'jwk' });
  return Buffer.from(x!, 'base64url').toString('hex');
}
