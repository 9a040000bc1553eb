import { readFileSync } from 'node:fs';
import ssh2, { type AuthContext, type Connection, type SFTPWrapper } from 'ssh2';

/** What a server of the tests does instead of what a real one would. */
export interface ServerScript {
  readonly hostKey: string;
  readonly authenticate?: (context: AuthContext) => void;
  /** Answers the requests of an SFTP session. */
  readonly sftp?: (sftp: SFTPWrapper) => void;
}

/** A server that can lie, which OpenSSH cannot be asked to. */
export async function startSshServer(script: ServerScript): Promise<{ port: number; close(): void }> {
  const connections = new Set<Connection>();
  const server = new ssh2.Server({ hostKeys: [readFileSync(script.hostKey)] }, (connection) => {
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.on('authentication', (context) =>
      script.authenticate === undefined ? context.accept() : script.authenticate(context),
    );
    connection.on('ready', () =>
      connection.on('session', (accept) =>
        accept().on('sftp', (open) => {
          const sftp = open();
          script.sftp?.(sftp);
        }),
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    for (const connection of connections) connection.end();
    server.close();
  };
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, close };
}
