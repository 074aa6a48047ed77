import { Authority, type KeyPair } from '../access/authority.ts';
import type { DataFolder } from './folder.ts';

export interface Certificates {
  readonly authority: Authority;
  readonly server: KeyPair;
}

/** The fleet's own authority, made at the first start, and a new certificate of this controller. */
export async function certificatesIn(folder: DataFolder, names: readonly string[], now: number): Promise<Certificates> {
  const pair =
    (await pairIn(folder, 'authority')) ??
    (await keepPair(folder, 'authority', await Authority.create('EigenWeights fleet', now)));
  const authority = await Authority.open(pair);
  const server = await keepPair(folder, 'server', await authority.server(names, now));
  return { authority, server };
}

async function pairIn(folder: DataFolder, name: string): Promise<KeyPair | undefined> {
  const [certificate, key] = [await folder.readText(`${name}.crt`), await folder.readText(`${name}.key`)];
  return certificate !== undefined && key !== undefined ? { certificate, key } : undefined;
}

async function keepPair(folder: DataFolder, name: string, pair: KeyPair): Promise<KeyPair> {
  await folder.write(`${name}.key`, `${pair.key}\n`);
  await folder.write(`${name}.crt`, `${pair.certificate}\n`);
  return pair;
}
