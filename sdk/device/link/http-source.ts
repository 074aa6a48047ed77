import type { IncomingMessage } from 'node:http';
import type { Clock } from '../../util/clock.ts';
import { isEigenError } from '../../util/errors.ts';
import { type BlobSpec, offsetsOf } from '../../wire/blob.ts';
import type { PieceSource } from '../agent/fetch.ts';
import type { HttpFolder } from './http.ts';
import { Pace } from './pace.ts';
import { sourceFailed } from './source-failed.ts';

/** Pieces that lie one after another in a blob. */
interface Run {
  readonly pieces: number[];
  readonly from: number;
  readonly to: number;
}

/** Pieces from any web server that has `blobs/<sha256>`, in ranges where it knows ranges. */
export class HttpSource implements PieceSource {
  private readonly folder: HttpFolder;
  private readonly clock: Pick<Clock, 'monotonic'>;

  constructor(folder: HttpFolder, clock: Pick<Clock, 'monotonic'>) {
    this.folder = folder;
    this.clock = clock;
  }

  /** @throws EigenError EW7104_SOURCE_FAILED. */
  async *fetch(blob: BlobSpec, pieces: readonly number[]): ReturnType<PieceSource['fetch']> {
    const pace = new Pace(this.clock);
    const path = `blobs/${blob.sha256}`;
    for (const run of runsOf(blob, pieces)) {
      const whole = run.from === 0 && run.to === blob.bytes;
      const response = await this.folder.get(path, whole ? {} : { range: `bytes=${run.from}-${run.to - 1}` });
      try {
        const from = startOf(response, path, run.from);
        const offsets = offsetsOf(blob.pieces);
        const cutter = new Cutter(response, from, pace);
        for (const index of run.pieces)
          yield { index, bytes: await cutter.take(offsets[index]!, blob.pieces[index]!.bytes) };
      } catch (e) {
        if (isEigenError(e)) throw e;
        throw sourceFailed(`${path}: ${e instanceof Error ? e.message : String(e)}`);
      } finally {
        // What comes beyond what was asked for is not read.
        if (!response.complete) response.destroy();
        else response.resume();
      }
    }
  }
}

function runsOf(blob: BlobSpec, pieces: readonly number[]): Run[] {
  const offsets = offsetsOf(blob.pieces);
  const runs: { pieces: number[]; from: number; to: number }[] = [];
  for (const index of [...pieces].sort((a, b) => a - b)) {
    const [from, bytes] = [offsets[index]!, blob.pieces[index]!.bytes];
    const last = runs.at(-1);
    if (last?.to === from) {
      last.pieces.push(index);
      last.to += bytes;
    } else runs.push({ pieces: [index], from, to: from + bytes });
  }
  return runs;
}

/** Where in the blob an answer begins: a server that does not know ranges sends all of it. */
function startOf(response: IncomingMessage, path: string, asked: number): number {
  const { statusCode } = response;
  if (statusCode === 200) return 0;
  if (statusCode !== 206) {
    const attack = statusCode === 404 || statusCode === 410 ? 'withheld' : undefined;
    throw sourceFailed(`${path}: the server answers ${statusCode}`, attack);
  }
  const from = /^bytes (\d{1,15})-/.exec(response.headers['content-range'] ?? '')?.[1];
  if (from !== String(asked)) throw sourceFailed(`${path}: the server sends another range than it was asked for`);
  return asked;
}

/** Cuts a stream into pieces; holds one of them and what came with its end. */
class Cutter {
  private readonly chunks: AsyncIterator<Buffer>;
  private readonly pace: Pace;
  private at: number;
  private rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>, from: number, pace: Pace) {
    this.chunks = stream[Symbol.asyncIterator]();
    this.at = from;
    this.pace = pace;
  }

  /** The bytes at a place that is not before the last one. */
  async take(from: number, bytes: number): Promise<Uint8Array> {
    while (this.at + this.rest.length <= from) {
      this.at += this.rest.length;
      this.rest = await this.more();
    }
    this.rest = this.rest.subarray(from - this.at);
    this.at = from;
    const parts = [this.rest];
    for (let length = this.rest.length; length < bytes; length += parts.at(-1)!.length) parts.push(await this.more());
    const all = parts.length === 1 ? this.rest : Buffer.concat(parts);
    this.rest = all.subarray(bytes);
    this.at += bytes;
    return all.subarray(0, bytes);
  }

  private async more(): Promise<Buffer> {
    const { done, value } = await this.chunks.next();
    if (done) throw sourceFailed('what was sent ends too early');
    this.pace.note(value.length);
    this.pace.check();
    return value;
  }
}
