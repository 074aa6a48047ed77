import { type DeltaNotes, Fetcher, type PieceSource } from '../../sdk/device/agent/fetch.ts';
import { Ledger } from '../../sdk/device/agent/ledger.ts';
import { BlobStore } from '../../sdk/device/store/blobs.ts';
import { CrashFileSystem } from '../../sdk/testing/crash-file-system.ts';
import { type BlobSpec, offsetsOf } from '../../sdk/wire/blob.ts';
import { MemoryBlobs } from './link.ts';

/** A source with blobs in memory, that counts what is asked of it. */
export class CountingSource implements PieceSource {
  readonly blobs = new MemoryBlobs();
  /** Bytes that were delivered, by blob. */
  readonly delivered = new Map<string, number>();
  /** What becomes of a piece; left out where undefined. */
  damage: (bytes: Uint8Array, index: number, blob: BlobSpec) => Uint8Array | undefined = (bytes) => bytes;

  add(bytes: Uint8Array): Promise<BlobSpec> {
    return this.blobs.add(bytes);
  }

  async *fetch(...[blob, pieces]: Parameters<PieceSource['fetch']>): ReturnType<PieceSource['fetch']> {
    const offsets = offsetsOf(blob.pieces);
    for (const index of pieces) {
      const { bytes: size } = blob.pieces[index]!;
      const bytes = this.damage(await this.blobs.read(blob.sha256, offsets[index]!, size), index, blob);
      if (!bytes) continue;
      this.delivered.set(blob.sha256, (this.delivered.get(blob.sha256) ?? 0) + bytes.length);
      yield { index, bytes };
    }
  }

  bytesOf({ sha256 }: BlobSpec): number {
    return this.delivered.get(sha256) ?? 0;
  }
}

/** A store on a medium that can fail, and what fetches into it. */
export class FetchBench {
  readonly fs: CrashFileSystem;
  readonly store: BlobStore;
  readonly source: CountingSource;
  readonly fetcher: Fetcher;
  private readonly fallbackBytes: number | undefined;

  private constructor(fs: CrashFileSystem, source: CountingSource, notes: DeltaNotes, fallbackBytes?: number) {
    this.fs = fs;
    this.source = source;
    this.fallbackBytes = fallbackBytes;
    this.store = new BlobStore(fs, 'blobs');
    this.fetcher = new Fetcher(this.store, source, {
      notes,
      ...(fallbackBytes === undefined ? {} : { fallbackBytes }),
    });
  }

  static async open(fallbackBytes?: number): Promise<FetchBench> {
    const fs = new CrashFileSystem();
    await fs.makeFolder('blobs');
    await fs.syncFolder('.');
    return new FetchBench(fs, new CountingSource(), await Ledger.open(fs, 'journal'), fallbackBytes);
  }

  /** The same device after a power cut that took everything which was not synced. */
  async restart(): Promise<FetchBench> {
    const fs = this.fs.crash('lost');
    return new FetchBench(fs, this.source, await Ledger.open(fs, 'journal'), this.fallbackBytes);
  }

  /** Puts a blob on the device, as an update did before. */
  async hold(bytes: Uint8Array): Promise<BlobSpec> {
    const spec = await this.source.add(bytes);
    await this.fetcher.fetch({ blob: spec, held: [] });
    await this.store.accept(spec);
    this.source.delivered.clear();
    return spec;
  }
}
