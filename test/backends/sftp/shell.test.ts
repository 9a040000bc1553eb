import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../../src/backends/sftp/connect.js';
import type { Session } from '../../../src/backends/sftp/session.js';
import { remoteShell } from '../../../src/backends/sftp/shell.js';
import { parseTarget } from '../../../src/backends/sftp/target.js';
import { judge } from '../../support/judges.js';
import { Sshd } from '../../support/sshd.js';

describe.skipIf(!judge('sshd', 'ssh-keygen'))('a command on a server', () => {
  let server: Sshd;
  let session: Session;
  beforeAll(async () => {
    server = await Sshd.start();
    session = await connect(parseTarget(server.url('/')), server.options());
  });
  afterAll(async () => {
    session.end();
    await server.remove();
  });
  const shell = remoteShell(async () => session);

  it('that hangs costs its own time, not the connection', async () => {
    await expect(shell.run('exec sleep 600', '', 300)).rejects.toMatchObject({
      family: 'device',
      code: 'command-timeout',
    });
    expect(await shell.run('echo there; exit 3')).toEqual({ exitCode: 3, stdout: 'there\n', stderr: '' });
  });

  it('that ends with the connection is not taken for one that ended', async () => {
    const running = shell.run('echo begun; exec sleep 600');
    const victims = setInterval(() => server.cutConnections(), 200);
    await expect(running.finally(() => clearInterval(victims))).rejects.toMatchObject({ code: 'link-lost' });
  });
});
