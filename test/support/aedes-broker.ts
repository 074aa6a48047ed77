import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';

/** The embedded broker on a free port of this machine. */
export class AedesBroker {
  readonly aedes: Aedes;
  readonly port: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;

  private constructor(aedes: Aedes, server: Server, port: number, sockets: Set<Socket>) {
    this.aedes = aedes;
    this.server = server;
    this.port = port;
    this.sockets = sockets;
  }

  static async open(): Promise<AedesBroker> {
    const aedes = await Aedes.createBroker();
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      aedes.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return new AedesBroker(aedes, server, typeof address === 'object' && address ? address.port : 0, sockets);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
    await new Promise<void>((resolve) => this.aedes.close(() => resolve()));
  }
}
