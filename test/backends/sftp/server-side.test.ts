import { mkdtempSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLocalStore } from '../../../src/backends/local/local-store.js';
import { loadNative } from '../../../src/backends/local/native.js';
import { locate } from '../../../src/backends/registry.js';
import { MIB } from '../../../src/core/units.js';
import type { StoreFile } from '../../../src/device/store.js';
import { judge } from '../../support/judges.js';
import { randomBytes } from '../../support/random.js';
import { descendants, Sshd } from '../../support/sshd.js';

const LENGTH = 3 * MIB;

describe.skipIf(!judge('sshd', 'ssh-keygen', 'python3'))('copying on the server', () => {
  let server: Sshd;
  let bare: Sshd;
  let made = 0;
  beforeAll(async () => {
    server = await Sshd.start();
    bare = await Sshd.start({ config: ['Subsystem sftp internal-sftp', 'ForceCommand internal-sftp'] });
  });
  afterAll(async () => {
    await server.remove();
    await bare.remove();
  });

  /** A file of data, a hole and data, 16 MiB long; its name is a hard one for any shell. */
  function newDisk(): string {
    const name = `a'; touch $(x) "${++made}" \\ b-flat.vmdk`;
    const path = join(mkdtempSync(join(server.folder, 'files-')), name);
    writeFileSync(path, randomBytes(MIB, made));
    truncateSync(path, 16 * MIB);
    return path;
  }

  async function locked(path: string, sshd = server): Promise<StoreFile> {
    const at = await locate(sshd.url(path), sshd.options());
    const file = await at.store.open(at.path, 'write');
    await file.lock();
    return file;
  }

  it('by the helper keeps holes, clears, and knows them', async () => {
    const path = newDisk();
    const file = await locked(path);
    expect(file.capabilities).toMatchObject({ rangeCopy: true, smallestCopy: 1, dataRanges: true });
    const before = readFileSync(path);
    await file.copyRange(0, 8 * MIB + 512, LENGTH);
    await file.flush();
    const copied = readFileSync(path).subarray(8 * MIB + 512, 8 * MIB + 512 + LENGTH);
    expect(copied.equals(before.subarray(0, LENGTH))).toBe(true);
    // 1 MiB of data was copied, and 2 MiB of a hole.
    expect(statSync(path).blocks * 512).toBeLessThan(2 * MIB + 64 * 1024);
    const ranges = await file.dataRanges(0, 16 * MIB);
    expect(ranges.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(2 * MIB + 64 * 1024);
    await file.discard(100, 15 * MIB);
    expect(
      readFileSync(path)
        .subarray(100, 100 + 15 * MIB)
        .every((byte) => byte === 0),
    ).toBe(true);
    expect(readFileSync(path).subarray(0, 100)).toEqual(before.subarray(0, 100));
    await file.close();
  });

  it('by copy-data where no commands run', async () => {
    const path = newDisk();
    const file = await locked(path, bare);
    expect(file.capabilities).toMatchObject({ rangeCopy: true, dataRanges: false });
    await file.copyRange(512, 8 * MIB, LENGTH);
    await file.close();
    const bytes = readFileSync(path);
    expect(bytes.subarray(8 * MIB, 8 * MIB + LENGTH).equals(bytes.subarray(512, 512 + LENGTH))).toBe(true);
  });

  it('waits for who has the file on the server, and then says so', async () => {
    const path = newDisk();
    const holder = await createLocalStore(loadNative).open(path, 'write');
    await holder.lock();
    await expect(locked(path)).rejects.toMatchObject({ family: 'conflict', code: 'in-use' });
    await holder.close();
    await (await locked(path)).close();
  }, 30_000);

  it('ends with its connection, whatever it was told to do', async () => {
    const path = newDisk();
    const file = await locked(path);
    const helpers = (): number[] =>
      descendants(server.pid).filter((pid) => commandOf(pid).includes('python3\0-u'));
    expect(helpers()).toHaveLength(1);
    const copyForEver = async (): Promise<void> => {
      for (;;) await file.copyRange(0, 8 * MIB, LENGTH);
    };
    const failure = Promise.all([copyForEver(), copyForEver()]).catch((error: unknown) => error);
    await file.copyRange(0, 4 * MIB, LENGTH);
    const watched = helpers();
    server.cutConnections((pid) => !watched.includes(pid));
    expect(await failure).toMatchObject({ code: 'link-lost' });
    await file.close();
    while (watched.some((pid) => commandOf(pid) !== ''))
      await new Promise((resolve) => setTimeout(resolve, 5));
  });
});

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
