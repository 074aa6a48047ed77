import { refused } from './refusal.ts';

/** Where metadata comes from: a connection over MQTT or HTTP, a folder. Nothing of it is trusted. */
export interface MetadataSource {
  /**
   * One whole file of metadata; undefined where the other side has none.
   * @param role 'root', 'timestamp', 'snapshot', 'targets', the name of a delegated role, or `assignmentRole(device)`.
   * @param version of the file; the newest where it is absent.
   * @param most bytes: a longer file is not fetched to its end, and throws.
   */
  fetch(role: string, version: number | undefined, most: number): Promise<Uint8Array | undefined>;
}

/** A file as its source gives it. @throws EigenError EW7006_METADATA_REFUSED for one that is longer than it may be. */
export async function fetchFile(
  source: MetadataSource,
  role: string,
  version: number | undefined,
  most: number,
): Promise<Uint8Array | undefined> {
  const bytes = await source.fetch(role, version, most);
  if (bytes && bytes.length > most)
    throw refused('endless-data', role, `${bytes.length} bytes came, ${most} are the most`);
  return bytes;
}
