import { connectMqtt, type Transport } from '../../../sdk/transport/index.ts';
import { decodeMessage, encodeMessage, type Message } from '../../../sdk/wire/protocol/messages.ts';
import { type Channel, deviceTopic } from '../../../sdk/wire/protocol/topics.ts';

/** A device that does whatever it is told at once, reports it, and writes down what it heard. */
export class AnsweringDevice {
  readonly device: string;
  /** Every desired state in the order that it came. */
  readonly heard: { readonly rev: number; readonly target: string }[] = [];
  private readonly namespace: string;
  private readonly transport: Transport;
  private epoch = 0;
  private seq = 0;
  private rev = 0;
  private running: Uint8Array | undefined;

  constructor(url: string, namespace: string, device: string) {
    this.device = device;
    this.namespace = namespace;
    this.transport = connectMqtt({ url, clientId: device });
    this.transport.onMessage(({ payload }) => this.hear(decodeMessage('dn', payload)));
    this.transport.onState((connected) => {
      // The next connection begins anew.
      if (connected) this.greet().catch(() => undefined);
    });
  }

  async connect(): Promise<void> {
    await this.transport.subscribe(this.topic('dn'), 1);
  }

  close(): Promise<void> {
    return this.transport.close();
  }

  private async greet(): Promise<void> {
    this.epoch++;
    this.seq = 0;
    const presence = encodeMessage('st', { type: 'presence', epoch: this.epoch, online: true, rev: this.rev });
    await this.transport.publish(this.topic('st'), presence, { qos: 1, retain: true });
    await this.say({
      type: 'birth',
      epoch: this.epoch,
      rev: this.rev,
      agent: '1',
      board: 'host',
      slots: [],
      ...(this.running ? { running: this.running } : {}),
      metadata: { root: 1, timestamp: 1, snapshot: 1, targets: 1 },
    });
  }

  private hear({ rev, target }: Message<'dn'>): void {
    this.heard.push({ rev, target: Buffer.from(target).toString('hex') });
    if (rev < this.rev) return;
    this.rev = rev;
    this.running = new Uint8Array(target);
    const report = {
      type: 'report',
      epoch: this.epoch,
      seq: this.seq++,
      rev,
      outcome: 'committed',
      received: 1,
    } as const;
    this.say({ ...report, running: this.running }).catch(() => undefined);
  }

  private say(message: Message<'up'>): Promise<void> {
    return this.transport.publish(this.topic('up'), encodeMessage('up', message), { qos: 1 });
  }

  private topic(channel: Channel): string {
    return deviceTopic({ namespace: this.namespace, device: this.device, channel });
  }
}
