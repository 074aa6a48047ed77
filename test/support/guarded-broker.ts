import { newKey } from '../../sdk/device/service/certificate-request.ts';
import { Authority } from '../../sdk/fleet/access/authority.ts';
import { CONTROLLER, rulesOf } from '../../sdk/fleet/broker/rules.ts';
import type { MqttOptions } from '../../sdk/transport/index.ts';
import { type BrokerKind, BrokerProcess } from './broker-process.ts';

export interface GuardedUsers {
  readonly namespace: string;
  readonly devices: readonly string[];
}

/** A broker that lets in who has a certificate of the fleet's authority, and lets each do what the rules say. */
export class GuardedBroker {
  readonly scheme = 'mqtts';
  private readonly authority: Authority;
  private readonly broker: BrokerProcess;

  private constructor(authority: Authority, broker: BrokerProcess) {
    this.authority = authority;
    this.broker = broker;
  }

  /** Undefined where it is not installed. */
  static async start(kind: BrokerKind, users: GuardedUsers): Promise<GuardedBroker | undefined> {
    const authority = await Authority.open(await Authority.create('fleet', Date.now()));
    const { certificate, key } = await authority.server(['127.0.0.1'], Date.now());
    const rules = rulesOf[kind.rules]({ ...users, controller: CONTROLLER });
    const guard = { rules, ca: authority.certificate, cert: certificate, key };
    const broker = await BrokerProcess.start(kind, guard);
    return broker && new GuardedBroker(authority, broker);
  }

  get port(): number {
    return this.broker.port;
  }

  /** With a certificate of the authority for this name. */
  async login(name: string): Promise<Required<Pick<MqttOptions, 'tls'>>> {
    return this.loginBy(this.authority, name);
  }

  /** With one of another authority. */
  async forgedLogin(name: string): Promise<Required<Pick<MqttOptions, 'tls'>>> {
    return this.loginBy(await Authority.open(await Authority.create('fleet', Date.now())), name);
  }

  stop(): Promise<void> {
    return this.broker.stop();
  }

  private async loginBy(authority: Authority, name: string): Promise<Required<Pick<MqttOptions, 'tls'>>> {
    const { key, request } = newKey(name);
    const { certificate } = await authority.issue(request, name, Date.now());
    const [ca, cert] = [this.authority.certificate, certificate].map((text) => Buffer.from(text));
    return { tls: { ca: ca!, cert: cert!, key: Buffer.from(key) } };
  }
}
