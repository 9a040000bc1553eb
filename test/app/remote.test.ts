import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changeDisk } from '../../src/app/change.js';
import { type Outcome, runResult } from '../../src/app/outcome.js';
import { measureNone, type Wish } from '../../src/app/plan.js';
import { resumeRun } from '../../src/app/resume.js';
import type { Services } from '../../src/app/services.js';
import type { RemoteOptions } from '../../src/backends/registry.js';
import { layoutRequest } from '../../src/plan/types.js';
import { errorDocument } from '../../src/report/error.js';
import { judge, run } from '../support/judges.js';
import { writeOpaqueDisk } from '../support/opaque-disk.js';
import { testServices } from '../support/services.js';
import { Sshd } from '../support/sshd.js';

const SECTORS = 8192;
const SECRET = 'correct horse battery';
const ALIGN: Wish = { request: () => layoutRequest({ command: 'align' }), measure: measureNone };

describe.skipIf(!judge('sshd', 'ssh-keygen'))('a change over SFTP', () => {
  let server: Sshd;
  let folder: string;
  beforeEach(async () => {
    server = await Sshd.start();
    folder = mkdtempSync(join(server.folder, 'files-'));
    writeOpaqueDisk(folder, SECTORS);
  });
  afterEach(() => server.remove());

  const url = (): string => server.url(join(folder, 'x.vmdk'));
  const align = (changes: Partial<Services>, remote: RemoteOptions): Promise<Outcome> =>
    changeDisk(url(), ALIGN, { dryRun: false, remote }, testServices(changes));

  function expectMoved(): void {
    const bytes = readFileSync(join(folder, 'x-flat.vmdk'));
    expect(bytes.readUInt32LE(446 + 8)).toBe(128);
    const data = bytes.subarray(128 * 512, 4128 * 512);
    expect(data.equals(Buffer.alloc(4000 * 512, 'data'))).toBe(true);
    expect(readdirSync(folder).sort()).toEqual(['x-flat.vmdk', 'x.vmdk']);
    expect(readdirSync(join(server.folder, 'state', 'runs'))).toEqual([]);
  }

  /** Every byte of every file below a folder. */
  function everything(top: string): string {
    const paths = readdirSync(top, { recursive: true, encoding: 'utf8' }).map((name) => join(top, name));
    return paths.map((path) => (statSync(path).isFile() ? readFileSync(path, 'latin1') : path)).join('\n');
  }

  it('writes no passphrase, key or agent socket anywhere', async () => {
    const locked = join(server.folder, 'locked');
    run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', SECRET, '-f', locked]);
    appendFileSync(join(server.folder, 'authorized_keys'), readFileSync(`${locked}.pub`));
    const key = readFileSync(locked, 'latin1').split('\n')[1] ?? '';
    const agentSocket = join(mkdtempSync(join(server.folder, 'agent-')), 'socket-of-somebody');
    const agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
    while (!existsSync(agentSocket)) await new Promise((resolve) => setTimeout(resolve, 5));
    writeFileSync(server.sshConfig, `UserKnownHostsFile ${server.knownHosts}\nIdentityFile none\n`);
    const remote = server.options({ identity: locked, agent: agentSocket, ask: async () => SECRET });
    const stop = new AbortController();
    const texts: string[] = [];
    const look = (): void => {
      texts.push(everything(join(server.folder, 'state')), everything(folder));
      stop.abort();
    };
    const error = await align({ signal: stop.signal, onInFlight: look }, remote).catch((failure) => failure);
    expect(error).toMatchObject({ family: 'interrupted' });
    const outcome = await resumeRun(url(), { remote }, testServices({}));
    texts.push(JSON.stringify(errorDocument(error)), JSON.stringify(runResult(outcome, 'resume')));
    // The run was in force when the files were looked at.
    expect(texts.join()).toContain('journalElsewhere');
    agent.kill();
    for (const secret of [SECRET, agentSocket, key]) expect(texts.join()).not.toContain(secret);
    expectMoved();
  });

  it('begins anew when the link breaks before the run is in force', async () => {
    let cuts = 0;
    const cut = ({ why }: { why: string }): void => {
      if (why === 'rehearsing' && cuts === 0) cuts += server.cutConnections();
    };
    const { status } = await align({ onProgress: cut }, server.options({ linkSeconds: 30 }));
    expect(cuts).toBeGreaterThan(0);
    expect(status).toBe('done');
    expectMoved();
  });

  it('stays resumable when the server does not let it in again', async () => {
    const keys = join(server.folder, 'authorized_keys');
    const allowed = readFileSync(keys);
    const lockOut = (): void => {
      writeFileSync(keys, '');
      server.cutConnections();
    };
    const remote = server.options({ linkSeconds: 30 });
    await expect(align({ onInFlight: lockOut }, remote)).rejects.toMatchObject({
      family: 'interrupted',
      code: 'login',
      detail: { hint: expect.stringContaining(`vmreclaim resume ${url()}`) },
    });
    expect(readdirSync(folder)).toContain('x.vmdk.vmreclaim');
    writeFileSync(keys, allowed);
    // The store of this process has no connection any more: the first attempt finds out.
    const { status } = await resumeRun(url(), { remote }, testServices({}));
    expect(status).toBe('done');
    expectMoved();
  });
});
