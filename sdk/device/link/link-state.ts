import type { Message } from '../../wire/protocol/messages.ts';
import type { DeviceFileSystem } from '../fs/file-system.ts';
import { Pointer } from '../store/pointer.ts';

export type Desired = Message<'dn'>;

interface Kept {
  /** First epoch that was never used. */
  readonly epoch: number;
  readonly desired?: Omit<Desired, 'target'> & { readonly target: string };
}

/** Epochs that are taken with one write: flash wears. A start leaves out what is left of them. */
const BLOCK = 32;

/** What a device has to know of its connections when it starts again, in a folder of the state folder. */
export class LinkState {
  private readonly fs: DeviceFileSystem;
  private readonly folder: string;
  private readonly pointer: Pointer<Kept>;
  private next: number;
  private desiredNow: Desired | undefined;
  /** Writes one after another. */
  private writing: Promise<void> = Promise.resolve();

  private constructor(fs: DeviceFileSystem, folder: string, pointer: Pointer<Kept>) {
    this.fs = fs;
    this.folder = folder;
    this.pointer = pointer;
    const { epoch = 0, desired } = pointer.state ?? {};
    this.next = epoch;
    this.desiredNow = desired && { ...desired, target: new Uint8Array(Buffer.from(desired.target, 'hex')) };
  }

  /** Writes nothing. */
  static async open(fs: DeviceFileSystem, folder: string): Promise<LinkState> {
    return new LinkState(fs, folder, await Pointer.open<Kept>(fs, folder));
  }

  /** What was last wanted of the device. */
  get desired(): Desired | undefined {
    return this.desiredNow;
  }

  /** A number that is greater than any before, whenever power went. Where it cannot be written there is none. */
  async nextEpoch(): Promise<number> {
    if (this.next >= (this.pointer.state?.epoch ?? 0)) await this.write(this.next + BLOCK);
    return this.next++;
  }

  /** Remembers it, also where that cannot be written. */
  async setDesired(desired: Desired): Promise<void> {
    this.desiredNow = desired;
    await this.write(this.pointer.state?.epoch ?? this.next).catch(() => undefined);
  }

  private write(epoch: number): Promise<void> {
    const written = this.writing.then(async () => {
      await this.fs.makeFolder(this.folder);
      await this.fs.syncFolder('.');
      const { desiredNow } = this;
      const desired = desiredNow && { ...desiredNow, target: Buffer.from(desiredNow.target).toString('hex') };
      // What was taken since stays taken.
      await this.pointer.write({
        epoch: Math.max(epoch, this.pointer.state?.epoch ?? 0),
        ...(desired ? { desired } : {}),
      });
    });
    this.writing = written.catch(() => undefined);
    return written;
  }
}
