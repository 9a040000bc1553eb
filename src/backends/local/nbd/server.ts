import { chmod, lstat } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { usageError } from '../../../core/errors.js';
import type { BlockDevice } from '../../../device/types.js';
import { attempt } from '../errors.js';
import { Connection } from './connection.js';
import { negotiate } from './negotiate.js';
import type { ExportFlags } from './protocol.js';
import { type Served, transmit } from './transmit.js';

/** nbdfuse opens 4, nbdcopy as many; beyond this they are turned away. */
const CLIENTS_MAX = 16;
/** A longer path is cut off without a word (unix(7): sun_path, 108 bytes with the zero at its end). */
const SOCKET_PATH_BYTES_MAX = 107;

export interface NbdOptions extends ExportFlags {
  /** Path of the unix socket. Its folder decides who may connect. */
  readonly socket: string;
  /** The last client that was let in has gone; `cleanly`: all of them said goodbye. */
  readonly onIdle?: (cleanly: boolean) => void;
}

/**
 * A device as an NBD export on a unix socket. Clients may be hostile: what they send is bounded, checked against
 * the device, and at worst ends their own connection.
 */
export class NbdServer {
  private readonly sockets = new Set<Socket>();
  private readonly sessions = new Set<Promise<void>>();
  private turn: Promise<unknown> = Promise.resolve();
  private clean = true;
  private firstFailure: unknown;

  private constructor(
    private readonly server: Server,
    private readonly served: Served,
    private readonly options: NbdOptions,
  ) {}

  /** Listens when it returns. The caller keeps the device until the server is closed. */
  static async listen(device: BlockDevice, options: NbdOptions): Promise<NbdServer> {
    const { socket, writable, discards } = options;
    if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
      throw usageError('socket-path', 'the path of the socket is too long for the system', {
        path: socket,
        expected: `${SOCKET_PATH_BYTES_MAX} bytes at the most`,
        hint: 'choose a shorter one; if it is in the temporary folder, let TMPDIR name another',
      });
    }
    const server = createServer({ allowHalfOpen: false });
    const nbd: NbdServer = new NbdServer(
      server,
      {
        device,
        exported: { sizeBytes: device.sizeBytes, writable, discards },
        inTurn: (work) => nbd.inTurn(work),
        failed: (error) => {
          nbd.firstFailure ??= error;
        },
      },
      options,
    );
    server.maxConnections = CLIENTS_MAX;
    server.on('connection', (client) => nbd.admit(client));
    await refuseTaken(socket);
    await attempt('listen on', socket, () => {
      return new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(socket, () => resolve());
      });
    });
    // Whatever the umask says: who may connect may write.
    await attempt('protect', socket, () => chmod(socket, 0o600));
    return nbd;
  }

  /** False after a client went away without a goodbye, until the next one comes to an empty server. */
  get isClean(): boolean {
    return this.clean;
  }

  /** The first access of the device that failed: clients only see a number. */
  get failure(): unknown {
    return this.firstFailure;
  }

  /** Lets all clients go and removes the socket; what was under way has ended when it returns. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
    await Promise.all(this.sessions);
  }

  private admit(socket: Socket): void {
    if (this.sockets.size === 0) this.clean = true;
    const session = this.serve(socket).finally(() => this.sessions.delete(session));
    this.sessions.add(session);
  }

  private async serve(socket: Socket): Promise<void> {
    this.sockets.add(socket);
    socket.on('error', () => undefined);
    const client = new Connection(socket);
    let wasLetIn = false;
    let cleanly = false;
    try {
      wasLetIn = await negotiate(client, this.served.exported);
      cleanly = !wasLetIn || (await transmit(client, this.served));
    } catch {
      // It went away in the middle: nothing that could be told to it.
    } finally {
      client.end();
      this.sockets.delete(socket);
    }
    if (!wasLetIn) return;
    this.clean &&= cleanly;
    if (this.sockets.size === 0) this.options.onIdle?.(this.clean);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.turn.then(work);
    this.turn = mine.catch(() => undefined);
    return mine;
  }
}

async function refuseTaken(socket: string): Promise<void> {
  if ((await lstat(socket).catch(() => undefined)) === undefined) return;
  throw usageError('socket-path', 'something is at the path of the socket already', {
    path: socket,
    hint: 'another session serves there, or one that was killed left it behind: then remove the file',
  });
}
