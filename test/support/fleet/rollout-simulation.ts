import { applyToMember, applyToRollout } from '../../../sdk/fleet/rollout/apply.ts';
import { decide } from '../../../sdk/fleet/rollout/decide.ts';
import type { HealthChange } from '../../../sdk/fleet/rollout/health.ts';
import { parseRollout, type RolloutInput } from '../../../sdk/fleet/rollout/spec.ts';
import {
  type Decision,
  type DeviceView,
  keyOf,
  type Member,
  type Rollout,
  type Told,
} from '../../../sdk/fleet/rollout/state.ts';

export const OLD = '0'.repeat(64);
export const NEW = 'a'.repeat(64);
export const OTHER = 'b'.repeat(64);
export const MINUTE = 60_000;

export interface SimulatedDevice {
  readonly name: string;
  board: string;
  online: boolean;
  tags: Record<string, string>;
  running?: string;
  self?: string;
  told?: Told & { readonly target: string | undefined };
  lastSeen: number;
  taken?: boolean;
}

export function simulatedDevice(name: string, more: Partial<SimulatedDevice> = {}): SimulatedDevice {
  return { name, board: 'board', online: true, tags: {}, running: OLD, lastSeen: 0, ...more };
}

export function devices(count: number, more: (i: number) => Partial<SimulatedDevice> = () => ({})): SimulatedDevice[] {
  return Array.from({ length: count }, (_, i) => simulatedDevice(`d${i}`, more(i)));
}

/** A description that is complete, with what a test changes. */
export function specOf(more: Partial<RolloutInput> = {}): RolloutInput {
  return {
    name: 'test',
    query: 'all',
    variants: [{ sha256: NEW, board: 'board' }],
    waves: [{ count: 5 }, { share: 0.5 }, { share: 1 }],
    ...more,
  };
}

/** What a device says of a bundle that it was told to install; undefined when it says nothing. */
export type Answer = Pick<Told, 'code' | 'reason'> & { readonly state: Told['state'] };
export type Behaviour = (device: SimulatedDevice, target: string) => Answer | undefined;

export const good: Behaviour = () => ({ state: 'committed' });

/** A controller over devices that exist in memory only: decisions are taken once under their keys, time is what the test says. */
export class SimulatedFleet {
  readonly devices: SimulatedDevice[];
  readonly members = new Map<string, Member>();
  readonly log: Decision[] = [];
  rollout: Rollout;
  now = 1_000_000;
  behaviour: Behaviour = good;
  health: (device: SimulatedDevice) => HealthChange | undefined = () => undefined;
  private readonly keys = new Set<string>();

  constructor(devices: SimulatedDevice[], spec: RolloutInput) {
    this.devices = devices;
    this.rollout = { id: 'r', spec: parseRollout(spec), phase: 'DRAFT', wave: 0, turn: 0, looks: 0 };
  }

  views(): DeviceView[] {
    return this.devices.map((d) => {
      const { name, board, online, tags, running, self, told, lastSeen, taken } = d;
      const member = this.members.get(name);
      const health = this.health(d);
      return {
        facts: {
          ...{ device: name, board, online, tags },
          ...(running === undefined ? {} : { running }),
          ...(self === undefined ? {} : { self }),
        },
        lastSeen,
        ...(member ? { member } : {}),
        ...(told ? { told } : {}),
        ...(taken ? { taken } : {}),
        ...(health ? { health } : {}),
      };
    });
  }

  /** Takes decisions as a controller does: each key once. */
  take(decisions: readonly Decision[]): void {
    for (const decision of decisions) {
      const key = keyOf(decision);
      if (this.keys.has(key)) continue;
      this.keys.add(key);
      this.log.push(decision);
      this.rollout = applyToRollout(this.rollout, decision);
      if (!('device' in decision)) continue;
      const member = applyToMember(this.members.get(decision.device), decision);
      if (member) this.members.set(decision.device, member);
      const told = decision.kind === 'offer' || decision.kind === 'revert';
      const device = this.devices.find((d) => d.name === decision.device);
      if (told && device) device.told = { key, state: 'pending', target: decision.target };
    }
  }

  /** Decides until there is nothing more to decide now. */
  settle(): void {
    for (let round = 0; round < 100; round++) {
      const decisions = decide(this.rollout, this.views(), this.now);
      if (decisions.length === 0) return;
      this.take(decisions);
    }
    throw new Error('decisions do not come to an end');
  }

  /** Those that are there hear what they are told and answer, in the order given. */
  answer(order: readonly SimulatedDevice[] = this.devices): void {
    for (const device of order) {
      if (!device.online) continue;
      device.lastSeen = this.now;
      const { told } = device;
      if (!told || (told.state !== 'pending' && told.state !== 'delivered')) continue;
      const answer: Answer | undefined =
        told.target === undefined
          ? { state: 'delivered' }
          : told.target === OLD
            ? { state: 'committed' }
            : this.behaviour(device, told.target);
      device.told = { ...told, ...(answer ?? { state: 'delivered' }) };
      const kind = this.rollout.spec.kind === 'agent' ? 'self' : 'running';
      if (answer?.state === 'committed' && told.target !== undefined) device[kind] = told.target;
    }
  }

  /** Time goes on by `step` until `until` or the rollout has ended. */
  run(step: number, until: number, each: () => void = () => {}): void {
    for (const end = this.now + until; this.now < end && !this.isOver; this.now += step) {
      each();
      this.answer();
      this.settle();
    }
  }

  get isOver(): boolean {
    return ['DONE', 'FAILED', 'ABORTED'].includes(this.rollout.phase);
  }

  count(state: Member['state']): number {
    return [...this.members.values()].filter((m) => m.state === state).length;
  }

  /** Devices that were told to install something new. */
  get offered(): number {
    return new Set(this.log.flatMap((d) => (d.kind === 'offer' ? [d.device] : []))).size;
  }
}
