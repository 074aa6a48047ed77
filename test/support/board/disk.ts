import { createServer, type Server, type Socket } from 'node:net';
import type { Rng } from '../../../sdk/util/rng.ts';

/** What becomes of writes that were not flushed when power goes: all are there, none is, or any of their sectors. */
export type Loss = 'kept' | 'lost' | 'some';

const SECTOR = 512;

interface Write {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/**
 * A disk with a cache that loses its content when power goes, for a virtual machine: it speaks NBD at a Unix socket. What was written is
 * read back at once; what was flushed after it was written survives.
 */
export class CutDisk {
  /** Is told of every write as it comes. Where power goes then, that write is on its way. */
  onWrite: (bytes: Uint8Array) => void = () => undefined;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  /** What is read, and what a power cut leaves. */
  private readonly present: Buffer;
  private readonly durable: Buffer;
  private unflushed: Write[] = [];
  private powered = true;

  constructor(image: Uint8Array) {
    this.present = Buffer.from(image);
    this.durable = Buffer.from(image);
    this.server = createServer((socket) => {
      this.sockets.add(socket);
      // A machine that was killed leaves in the middle of a word.
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
      void this.serve(socket).catch(() => socket.destroy());
    });
  }

  listen(path: string): Promise<void> {
    return new Promise((resolve, reject) => void this.server.once('error', reject).listen(path, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  get size(): number {
    return this.present.length;
  }

  /** Power goes: nothing is answered any more, and only what survives is there when it comes back. Returns bytes that were not flushed. */
  cut(loss: Loss, rng: Rng): number {
    this.powered = false;
    for (const socket of this.sockets) socket.destroy();
    const bytes = this.unflushed.reduce((sum, w) => sum + w.bytes.length, 0);
    for (const write of this.unflushed) this.survive(write, loss, rng);
    this.unflushed = [];
    this.durable.copy(this.present);
    return bytes;
  }

  powerOn(): void {
    this.powered = true;
  }

  read(at: number, length: number): Uint8Array {
    return this.present.subarray(at, at + length);
  }

  write(at: number, bytes: Uint8Array): void {
    if (!this.powered) return;
    const copy = Uint8Array.from(bytes);
    this.unflushed.push({ at, bytes: copy });
    this.onWrite(copy);
    if (this.powered) this.present.set(copy, at);
  }

  flush(): void {
    if (!this.powered) return;
    for (const { at, bytes } of this.unflushed) this.durable.set(bytes, at);
    this.unflushed = [];
  }

  private survive({ at, bytes }: Write, loss: Loss, rng: Rng): void {
    if (loss === 'lost') return;
    for (let from = 0; from < bytes.length; from += SECTOR)
      if (loss === 'kept' || rng.below(2) === 0) this.durable.set(bytes.subarray(from, from + SECTOR), at + from);
  }

  private async serve(socket: Socket): Promise<void> {
    const input = new Input(socket);
    if (this.powered && (await negotiate(socket, input, this.size))) await this.transmit(socket, input);
    socket.destroy();
  }

  private async transmit(socket: Socket, input: Input): Promise<void> {
    while (this.powered) {
      const header = await input.take(28);
      const [kind, at, length] = [header.readUInt16BE(6), Number(header.readBigUInt64BE(16)), header.readUInt32BE(24)];
      const bytes = kind === WRITE ? await input.take(length) : undefined;
      if (kind === DISCONNECT) return;
      let error = 0;
      if (kind === READ || kind === WRITE) {
        if (at + length > this.size) error = EINVAL;
        else if (bytes) this.write(at, bytes);
      } else if (kind === FLUSH) this.flush();
      else error = EINVAL;
      if (!this.powered) return;
      const reply = Buffer.alloc(16);
      reply.writeUInt32BE(0x67446698, 0);
      reply.writeUInt32BE(error, 4);
      header.copy(reply, 8, 8, 16);
      socket.write(kind === READ && error === 0 ? Buffer.concat([reply, this.read(at, length)]) : reply);
    }
  }
}

const [READ, WRITE, DISCONNECT, FLUSH] = [0, 1, 2, 3];
const EINVAL = 22;

const MAGIC = Buffer.from('NBDMAGICIHAVEOPT');
const FIXED_NEWSTYLE = 1;
/** Of the answers to options. */
const REPLY = 0x3e889045565a9n;
const [ACKNOWLEDGED, INFORMATION, UNSUPPORTED] = [1, 3, 0x80000001];
const [INFO, GO] = [6, 7];
/** It has flags, and flushes. */
const EXPORT_FLAGS = 1 | 4;

/** Agrees with a client on the one disk there is. */
async function negotiate(socket: Socket, input: Input, size: number): Promise<boolean> {
  const hello = Buffer.alloc(18);
  MAGIC.copy(hello);
  hello.writeUInt16BE(FIXED_NEWSTYLE, 16);
  socket.write(hello);
  await input.take(4);
  for (;;) {
    const header = await input.take(16);
    const option = header.readUInt32BE(8);
    await input.take(header.readUInt32BE(12));
    const answer = (type: number, data = Buffer.alloc(0)): void => {
      const reply = Buffer.alloc(20);
      reply.writeBigUInt64BE(REPLY, 0);
      for (const [i, value] of [option, type, data.length].entries()) reply.writeUInt32BE(value, 8 + 4 * i);
      socket.write(Buffer.concat([reply, data]));
    };
    if (option === INFO || option === GO) {
      const disk = Buffer.alloc(12);
      disk.writeBigUInt64BE(BigInt(size), 2);
      disk.writeUInt16BE(EXPORT_FLAGS, 10);
      answer(INFORMATION, disk);
      answer(ACKNOWLEDGED);
      if (option === GO) return true;
    } else answer(UNSUPPORTED);
  }
}

/** What comes on a socket, in the lengths that are asked for. */
class Input {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.chunks = socket[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    const parts = [this.rest];
    for (let there = this.rest.length; there < length; ) {
      const { value, done } = await this.chunks.next();
      if (done) throw new Error('the connection has ended');
      parts.push(value);
      there += value.length;
    }
    const all = parts.length === 1 ? this.rest : Buffer.concat(parts);
    this.rest = all.subarray(length);
    return all.subarray(0, length);
  }
}
