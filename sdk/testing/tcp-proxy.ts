import { createServer, connect as dial, type Server, type Socket } from 'node:net';

/** Bytes that wait in the proxy, a direction, before it stops reading. */
const MOST_HELD = 16 << 20;

/** A TCP connection through a network that takes its time, and that can be cut. */
export class TcpProxy {
  readonly port: number;
  /** One way, milliseconds. */
  delay: number;
  private readonly server: Server;
  private readonly sockets: Set<Socket>;

  private constructor(server: Server, port: number, sockets: Set<Socket>, delay: number) {
    this.server = server;
    this.port = port;
    this.sockets = sockets;
    this.delay = delay;
  }

  /** Listens on a free port of this machine, for what listens on another. */
  static async open(target: number, delay = 0): Promise<TcpProxy> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (near) => {
      const far = dial({ port: target, host: '127.0.0.1', noDelay: true });
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', (broken) => {
          sockets.delete(from);
          // What was sent before an orderly end is on its way still.
          if (broken) to.destroy();
        });
        pass(from, to, () => proxy.delay);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const proxy = new TcpProxy(server, port, sockets, delay);
    return proxy;
  }

  /** Breaks all connections; new ones are taken. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }
}

function pass(from: Socket, to: Socket, delay: () => number): void {
  let held = 0;
  from.on('data', (bytes) => {
    held += bytes.length;
    if (held > MOST_HELD) from.pause();
    setTimeout(() => {
      held -= bytes.length;
      if (!to.destroyed) to.write(bytes);
      if (held <= MOST_HELD) from.resume();
    }, delay());
  });
  from.on('end', () => void setTimeout(() => to.end(), delay()));
  from.on('close', () => void setTimeout(() => to.destroySoon(), delay()));
}
