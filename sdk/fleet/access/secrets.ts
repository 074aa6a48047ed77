import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** A new secret: 256 random bits in 43 letters, digits, - and _. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** A name for something that has no other: 96 random bits. */
export function newId(): string {
  return randomBytes(12).toString('hex');
}

/** What is kept of a secret. It has too many bits to be tried, so one round of SHA-256 is enough. */
export function hashOfSecret(secret: string | Uint8Array): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares digests in the same time whatever they are. */
export function sameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
