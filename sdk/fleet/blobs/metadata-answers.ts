import { Turns } from '../../transport/turns.ts';
import { DEFAULT_PIECE, type Message } from '../../wire/protocol/messages.ts';
import type { MetadataFiles } from './source.ts';

export type MetadataRequest = Extract<Message<'rq'>, { type: 'request-metadata' }>;

/** Requests that are answered at a time, and that wait for it: all devices of a fleet ask when a rollout begins, each for one piece at a time. */
const AT_A_TIME = 64;
const WAITING = 16_384;

/** Answers requests for pieces of metadata. Who asks again before the answer came has one answer. */
export class MetadataAnswers {
  private readonly files: MetadataFiles;
  private readonly send: (device: string, message: Message<'ch'>) => Promise<void>;
  private readonly turns = new Turns(AT_A_TIME, WAITING);
  /** What is asked for and not answered yet. */
  private readonly open = new Set<string>();

  constructor(files: MetadataFiles, send: (device: string, message: Message<'ch'>) => Promise<void>) {
    this.files = files;
    this.send = send;
  }

  /** Requests that wait. */
  get waiting(): number {
    return Math.max(0, this.open.size - AT_A_TIME);
  }

  /** Throws where it cannot be answered; it is asked for again. */
  async answer(device: string, request: MetadataRequest): Promise<void> {
    const name = `${device} ${request.version ?? ''} ${request.from} ${request.role}`;
    if (this.open.has(name)) return;
    this.open.add(name);
    try {
      await this.turns.take(() => this.sendPiece(device, request));
    } finally {
      this.open.delete(name);
    }
  }

  private async sendPiece(device: string, { role, version, from }: MetadataRequest): Promise<void> {
    const file = await this.files.read(role, version);
    const total = file?.bytes.length ?? 0;
    const bytes = file?.bytes.subarray(from, from + DEFAULT_PIECE) ?? new Uint8Array(0);
    await this.send(device, { type: 'metadata', role, version: file?.version ?? version ?? 0, from, total, bytes });
  }
}
