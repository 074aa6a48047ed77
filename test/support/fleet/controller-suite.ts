import * as assert from 'uvu/assert';
import { CONTROLLER } from '../../../sdk/fleet/broker/rules.ts';
import type { Database } from '../../../sdk/fleet/database/index.ts';
import { type Decision, decide } from '../../../sdk/fleet/desired/decide.ts';
import { LIFETIME } from '../../../sdk/fleet/leases/leases.ts';
import { RolloutService } from '../../../sdk/fleet/rollout/service.ts';
import { TcpProxy } from '../../../sdk/testing/tcp-proxy.ts';
import { connectMqtt, type MqttOptions } from '../../../sdk/transport/index.ts';
import { shardOf } from '../../../sdk/wire/protocol/topics.ts';
import { until } from '../until.ts';
import { LinkDevice, type LinkDeviceOptions } from './link-device.ts';
import { MortalController } from './mortal-controller.ts';
import { NEW, OLD, OTHER, specOf } from './rollout-simulation.ts';

/** A broker that is there, and how one logs in. */
export interface ControllerBroker {
  readonly scheme: 'mqtt' | 'mqtts';
  readonly port: number;
  login(name: string): Promise<Pick<MqttOptions, 'tls'>>;
}

export const NAMESPACE = 'fleet';

const names = (count: number, from = 0): string[] => Array.from({ length: count }, (_, i) => `d${from + i}`);
const ORPHANS = names(40, 100);

/** Names of all devices that there are, for brokers that have to know them. */
export function deviceNames(run: string): string[] {
  const own = ['leaving', 'breaking', 'here', 'away', ...names(12), ...ORPHANS];
  return Object.keys(CASES).flatMap((_, i) => own.map((name) => `${run}${i}-${name}`));
}

/**
 * Controllers, devices with the link of real ones, desired states and rollouts on a broker and a database: the same on all.
 * @param run different for each on one broker, which keeps what devices of the same name said last.
 */
export async function checkControllers(broker: ControllerBroker, database: Database, run: string): Promise<void> {
  for (const [i, [name, work]] of Object.entries(CASES).entries()) {
    for (const table of ['devices', 'rollouts', 'controllers', 'leases']) await database.query(`delete from ${table}`);
    const world = new World(broker, database, `${run}${i}-`);
    try {
      await work(world);
    } catch (e) {
      const problems = JSON.stringify(world.controllers.flatMap((c) => c.problems).slice(-5));
      if (e instanceof Error) e.message = `${name}: ${e.message}; controllers logged ${problems}`;
      throw e;
    } finally {
      await world.close();
    }
  }
}

interface DeviceRow {
  readonly name: string;
  readonly board: string | null;
  readonly running: string | null;
  readonly closed: boolean;
  readonly epoch: number;
}

/** Controllers and devices on one broker and one database. */
class World {
  readonly database: Database;
  readonly controllers: MortalController[] = [];
  private readonly broker: ControllerBroker;
  /** Of the names of devices. */
  private readonly prefix: string;
  private readonly ending: (() => Promise<unknown>)[] = [];
  private started = 0;

  constructor(broker: ControllerBroker, database: Database, prefix: string) {
    this.broker = broker;
    this.database = database;
    this.prefix = prefix;
  }

  async controller(): Promise<MortalController> {
    const id = `c${this.started++}`;
    const transport = connectMqtt({ ...(await this.mqtt(CONTROLLER)), clientId: `controller-${id}` });
    await until(`${id} is connected`, () => transport.connected);
    const controller = new MortalController({ id, database: this.database, transport, namespace: NAMESPACE });
    this.ending.push(() => controller.stop());
    this.controllers.push(controller);
    await controller.start();
    return controller;
  }

  async device(name: string, more: Partial<LinkDeviceOptions> = {}): Promise<LinkDevice> {
    const device = this.nameOf(name);
    const own = { namespace: NAMESPACE, device, board: 'board', running: OLD };
    const made = new LinkDevice({ ...own, mqtt: more.mqtt ?? (await this.mqtt(device)), ...more });
    this.ending.push(() => made.leave());
    await made.connect();
    return made;
  }

  nameOf(name: string): string {
    return `${this.prefix}${name}`;
  }

  devices(names: readonly string[], more: Partial<LinkDeviceOptions> = {}): Promise<LinkDevice[]> {
    return Promise.all(names.map((name) => this.device(name, more)));
  }

  /** The broker over a network that can be cut. */
  async proxied(name: string): Promise<{ proxy: TcpProxy; mqtt: LinkDeviceOptions['mqtt'] }> {
    const proxy = await TcpProxy.open(this.broker.port);
    this.ending.push(() => proxy.close());
    return {
      proxy,
      mqtt: { ...(await this.mqtt(this.nameOf(name))), url: `${this.broker.scheme}://127.0.0.1:${proxy.port}` },
    };
  }

  private async mqtt(name: string): Promise<LinkDeviceOptions['mqtt']> {
    return { url: `${this.broker.scheme}://127.0.0.1:${this.broker.port}`, ...(await this.broker.login(name)) };
  }

  rows(): Promise<DeviceRow[]> {
    return this.database.query('select name, board, running, closed, epoch from devices order by name');
  }

  /** Waits until what is known of a device is so. */
  async shows({ device }: LinkDevice, what: string, is: (row: DeviceRow) => boolean): Promise<void> {
    const row = async (): Promise<DeviceRow | undefined> => (await this.rows()).find((r) => r.name === device);
    const shown = async (): Promise<boolean> => {
      const one = await row();
      return one !== undefined && is(one);
    };
    await until(`${device} is known to ${what}`, shown, { saw: row });
  }

  /** Waits until all that was decided for devices has ended so. */
  async allEnd(state: string, rev: number): Promise<void> {
    const open = (): Promise<unknown[]> =>
      this.database.query(
        `select t.device, t.rev, t.state, t.attempts, d.closed from desired t join devices d on d.name = t.device
         where t.state <> $1 or t.rev <> $2`,
        [state, rev],
      );
    await until(`every device has ${state} revision ${rev}`, async () => (await open()).length === 0, { saw: open });
  }

  async decide(decisions: readonly Decision[]): Promise<number> {
    const decided = await decide(this.database, decisions, Date.now());
    for (const controller of this.controllers) controller.publishSoon();
    return decided.length;
  }

  async close(): Promise<void> {
    for (let end = this.ending.pop(); end; end = this.ending.pop()) await end();
  }
}

const isThere = ({ closed, board }: DeviceRow): boolean => !closed && board !== null;

function install(target: string, devices: readonly LinkDevice[]): Decision[] {
  return devices.map(({ device }) => ({
    key: `${device}/${target.slice(0, 8)}`,
    ...{ device, target, action: 'install', source: 'test' },
  }));
}

const CASES: Readonly<Record<string, (world: World) => Promise<void>>> = {
  'devices appear, leave, break off and come back': async (world) => {
    await world.controller();
    const leaving = await world.device('leaving', { board: 'pi-4', running: NEW });
    await world.shows(leaving, 'be there', (d) => d.board === 'pi-4' && d.running === NEW && !d.closed);
    await leaving.leave();
    await world.shows(leaving, 'have left', (d) => d.closed && d.epoch === 0);
    await leaving.connect();
    await world.shows(leaving, 'be back', (d) => !d.closed && d.epoch > 0);
    const { proxy, mqtt } = await world.proxied('breaking');
    // It waits for two seconds before it comes back.
    const breaking = await world.device('breaking', { mqtt: { ...mqtt, random: () => 1 } });
    await world.shows(breaking, 'be there', (d) => !d.closed && d.epoch === 0);
    await until('it is connected', () => breaking.connected);
    proxy.cut();
    await world.shows(breaking, 'be gone, by its will', (d) => d.closed && d.epoch === 0);
    await world.shows(breaking, 'be back', (d) => !d.closed && d.epoch === 1);
  },
  'what is decided reaches who is there, and who comes later': async (world) => {
    await world.controller();
    const [here, away] = await world.devices(['here', 'away']);
    for (const one of [here!, away!]) await world.shows(one, 'be there', isThere);
    await away!.leave();
    await world.shows(away!, 'have left', (d) => d.closed);
    assert.is(await world.decide(install(NEW, [here!, away!])), 2);
    await until('who is there has heard', () => here!.told.length > 0);
    assert.equal(away!.told, []);
    await away!.connect();
    await world.allEnd('committed', 1);
    assert.equal([here!.told, away!.told], [[{ rev: 1, target: NEW }], [{ rev: 1, target: NEW }]]);
    assert.is(await world.decide(install(NEW, [here!, away!])), 0, 'it is decided');
    await world.decide(install(OTHER, [here!, away!]));
    await world.allEnd('committed', 2);
    assert.equal([here!.running, away!.running], [OTHER, OTHER]);
  },
  'a rollout goes out in waves; the next one is stopped at the canary and taken back': async (world) => {
    await world.controller();
    const ends = (target: string): 'committed' | 'rolled-back' => (target === OTHER ? 'rolled-back' : 'committed');
    const devices = await world.devices(names(8), { ends });
    for (const device of devices) await world.shows(device, 'be there', isThere);
    const service = new RolloutService(world.database, Date.now);
    const rollOut = async (target: string, phase: string) => {
      const waves = [{ count: 3 }, { share: 0.6 }, { share: 1 }];
      const gate = { success: { least: 0.5 }, errors: { count: 1 } };
      const query = `device ~ ${world.nameOf('*')}`;
      const variants = [{ sha256: target, board: 'board' }];
      const { id } = await service.create(specOf({ name: target.slice(0, 8), query, variants, waves, gate }), 'ann');
      await service.act(id, { action: 'start', by: 'ann' });
      const shown = () => service.summary(id);
      await until(`the rollout is ${phase}`, async () => (await shown()).phase === phase, { saw: shown });
      return shown();
    };
    const good = await rollOut(NEW, 'DONE');
    assert.equal(
      good.waves.map((w) => [w.name, w.committed]),
      [
        ['canary', 3],
        ['wave 1', 2],
        ['wave 2', 3],
      ],
    );
    assert.ok(devices.every((d) => d.running === NEW));
    const bad = await rollOut(OTHER, 'FAILED');
    assert.match(bad.reason!, /[23] installations failed, 1 may/);
    assert.equal(
      bad.waves.slice(1).map((w) => w.committed + w.failed + w.reverted),
      [0, 0],
    );
    assert.ok(devices.every((d) => d.running === NEW));
    assert.ok(devices.filter((d) => d.told.some((t) => t.target === OTHER)).length <= 3);
  },
  'controllers come while devices do; one dies, and nothing that was said or decided is lost or doubled': async (
    world,
  ) => {
    await world.controller();
    const [devices] = await Promise.all([world.devices(names(12)), world.controller(), world.controller()]);
    for (const device of devices) await world.shows(device, 'be there', isThere);
    const holders = () =>
      world.database.query<{ count: number }>('select count(*) as count from leases group by holder');
    const shared = async (): Promise<boolean> => (await holders()).filter((h) => h.count > 50).length === 3;
    await until('three controllers share the work', shared, { saw: holders });
    await world.decide(install(NEW, devices));
    await world.allEnd('committed', 1);

    const leaving = devices[0]!;
    const victim = world.controllers.find((c) => c.holds(shardOf(leaving.device)))!;
    await victim.die();
    // What is said meanwhile is said to nobody who writes it.
    await leaving.leave();
    const orphan = ORPHANS.find((name) => victim.holds(shardOf(world.nameOf(name))))!;
    const late = await world.device(orphan);
    await until('it is connected', () => late.connected);
    await world.decide(install(OTHER, devices));
    await world.database.query('update controllers set beat = beat - $1 where id = $2', [LIFETIME, victim.id]);
    await world.shows(late, 'be there', isThere);
    await world.shows(leaving, 'have left', (d) => d.closed);
    await leaving.connect();
    await world.allEnd('committed', 2);
    assert.is(await world.decide(install(OTHER, devices)), 0, 'they are decided');
    for (const { device, told } of devices)
      assert.equal(
        told,
        [NEW, OTHER].map((target, i) => ({ rev: i + 1, target })),
        device,
      );
  },
};
