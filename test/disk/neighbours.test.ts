import { mkdirSync, renameSync, statSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { localStore } from '../../src/backends/local/local-store.js';
import { openSource } from '../../src/disk/open.js';
import { cleanUpFolders, descriptorText, VmFolder, watched } from './vm-folder.js';

cleanUpFolders();

const open = (path: string) => openSource(watched(localStore).store, path);
const codes = async (path: string) => (await open(path)).reasons.map(({ code }) => code);
const SPARSE_CHILD = { createType: 'vmfsSparse', extents: ['RW 2048 VMFSSPARSE "x-000001-delta.vmdk"'] };
const attach = (file: string, device = 'scsi0:0') => [
  `${device}.present = "TRUE"`,
  `${device}.fileName = "${file}"`,
];

describe('snapshots and linked clones', () => {
  it('a child that names it as parent', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('anything.vmdk', descriptorText({ ...SPARSE_CHILD, parentCid: '1234abcd', hint: 'x.vmdk' }));
    const { reasons } = await open(path);
    expect(reasons).toMatchObject([{ code: 'snapshots', hint: expect.stringContaining('snapshots') }]);
    expect(reasons[0]?.message).toContain('anything.vmdk has it as parent');
  });

  it('a child that names it by an absolute path, also by way of a link', async () => {
    const folder = new VmFolder();
    const path = folder.disk('uuid/x');
    symlinkSync('uuid', folder.at('datastore'));
    const child = (hint: string) =>
      folder.text('uuid/c.vmdk', descriptorText({ ...SPARSE_CHILD, parentCid: '99999999', hint }));
    child(path);
    expect(await codes(path)).toEqual(['snapshots']);
    child(folder.at('datastore/x.vmdk'));
    expect(await codes(path)).toEqual(['snapshots']);
  });

  it('a child whose parent was elsewhere once, by the content id', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    const child = (parentCid: string, hint?: string) =>
      folder.text(
        'c.vmdk',
        descriptorText({ ...SPARSE_CHILD, parentCid, ...(hint === undefined ? {} : { hint }) }),
      );
    child('1234abcd', '/vmfs/volumes/old/x.vmdk');
    expect(await codes(path)).toEqual(['snapshots']);
    child('1234abcd');
    expect(await codes(path)).toEqual(['snapshots']);
    child('1234abce', '/vmfs/volumes/old/x.vmdk');
    expect(await codes(path)).toEqual([]);
  });

  it('not a child of another disk beside it', async () => {
    const folder = new VmFolder();
    const [x, y] = [folder.disk('x'), folder.disk('y')];
    folder.text('c.vmdk', descriptorText({ ...SPARSE_CHILD, parentCid: '1234abcd', hint: 'y.vmdk' }));
    expect(await codes(y)).toEqual(['snapshots']);
    expect(await codes(x)).toEqual([]);
  });

  it.each([
    'x-000001.vmdk',
    'x-000001-delta.vmdk',
    'x-000003-sesparse.vmdk',
    'x-000001-s001.vmdk',
    'x-delta.vmdk',
    'x-sesparse.vmdk',
  ])('a file named %s', async (name) => {
    const folder = new VmFolder();
    const [path, other] = [folder.disk('x'), folder.disk('other')];
    folder.image(name, 1 << 20);
    expect(await codes(path)).toEqual(['snapshots']);
    expect(await codes(other)).toEqual([]);
  });

  it('counts for a bare flat file whose descriptor is lost', async () => {
    const folder = new VmFolder();
    const flat = folder.image('x-flat.vmdk', 1 << 20);
    expect(await codes(flat)).toEqual([]);
    folder.image('x-000001-delta.vmdk', 1 << 20, 'COWD');
    expect(await codes(flat)).toEqual(['snapshots']);
  });

  it('not a disk of its own that was named like a snapshot by a clone', async () => {
    const folder = new VmFolder();
    const [x, own] = [folder.disk('x'), folder.disk('x-000001')];
    expect(await codes(x)).toEqual([]);
    folder.vmx('vm.vmx', attach('x-000001.vmdk'));
    expect(await codes(own)).toEqual([]);
    expect((await open(own)).vm?.path).toBe(folder.at('vm.vmx'));
    expect(await codes(x)).toEqual([]);
  });

  it('a .vmx that runs on a snapshot, even when that is gone', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('vm.vmx', [...attach('x-000002.vmdk'), 'displayName = "Server"']);
    const source = await open(path);
    expect(source.reasons.map(({ code }) => code)).toEqual(['snapshots']);
    expect(source.vm?.name).toBe('Server');
  });

  it('a snapshot list of its machine, not of another one', async () => {
    const folder = new VmFolder();
    const [x, y] = [folder.disk('x'), folder.disk('y')];
    folder.vmx('vmx1.vmx', attach('x.vmdk'));
    folder.vmx('vmx2.vmx', attach('y.vmdk'));
    folder.text('vmx1.vmsd', 'snapshot.numSnapshots = "1"\n');
    expect([await codes(x), await codes(y)]).toEqual([['snapshots'], []]);
    folder.text('vmx1.vmsd', 'snapshot.numSnapshots = "0"\n');
    expect(await codes(x)).toEqual([]);
    folder.text('vmx1.vmsd', 'not a list');
    expect(await codes(x)).toEqual(['snapshots']);
  });

  it('a snapshot list of nobody known', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('lost.vmsd', 'snapshot.numSnapshots = "3"\n');
    expect((await open(path)).reasons[0]?.message).toContain('lost.vmsd lists 3');
  });

  it('another descriptor over the same extent', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('copy.vmdk', descriptorText());
    expect(await codes(path)).toEqual(['shared-extent']);
  });
});

describe('machines', () => {
  it('gives name and guest of the machine, cleaned of what a terminal would obey', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('vm.vmx', [
      ...attach('x.vmdk'),
      ...attach('other.vmdk', 'scsi0:1'),
      'displayName = "a|1b[31mb\xe2\x80\xaec|0ad"',
      'guestOS = "debian12-64"',
    ]);
    expect((await open(path)).vm).toEqual({
      name: 'abc d',
      guestOs: 'debian12-64',
      path: folder.at('vm.vmx'),
      otherDisks: ['other.vmdk'],
    });
  });

  it('finds the machine in another spelling of the path, and for hidden disks', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('vm.vmx', attach(folder.at('x.vmdk'), 'nvme0:1'));
    expect((await open(folder.at('.', 'x.vmdk'))).vm?.name).toBe('vm');
    expect((await open(`${folder.path}/../${localStore.nameOf(folder.path)}/x.vmdk`)).vm?.name).toBe('vm');
    renameSync(path, `${path}.hidden-by-vmreclaim`);
    expect((await open(path)).vm?.name).toBe('vm');
  });

  it.each([
    ['replication', 'scsi0:0.filters = "hbr_filter"', 'replicated'],
    ['suspension', 'checkpoint.vmState = "vm-1.vmss"', 'suspended'],
    ['sharing', 'scsi0:0.sharing = "multi-writer"', 'shared-disk'],
  ])('refuses %s', async (_, line, code) => {
    const folder = new VmFolder();
    const [path, other] = [folder.disk('x'), folder.disk('other')];
    folder.vmx('vm.vmx', [...attach('x.vmdk'), line]);
    expect(await codes(path)).toEqual([code]);
    expect(await codes(other)).toEqual([]);
  });

  it('refuses a disk of two machines', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('a.vmx', attach('x.vmdk'));
    folder.vmx('b.vmx', attach('x.vmdk'));
    expect(await codes(path)).toEqual(['shared-disk']);
  });

  it('refuses beside a .vmx that nobody can read', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('vm.vmx', '\0\0garbage\n');
    expect(await codes(path)).toEqual(['vmx-damaged']);
  });
});

describe('signs of use', () => {
  const nfsLock = (path: string) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(statSync(path, { bigint: true }).ino);
    return `.lck-${bytes.toString('hex')}`;
  };

  it('an NFS lock on the disk, or on nothing known, not on another disk', async () => {
    const folder = new VmFolder();
    const [x, y] = [folder.disk('x'), folder.disk('y')];
    folder.text(nfsLock(folder.at('x-flat.vmdk')), 'esx1');
    expect([await codes(x), await codes(y)]).toEqual([['locked'], []]);
    folder.text('.lck-0102030405060708', 'esx1');
    expect(await codes(y)).toEqual(['locked']);
  });

  it.each([
    ['the descriptor', 'x.vmdk.lck'],
    ['the flat file', 'x-flat.vmdk.lck'],
    ['the machine', 'vm.vmx.lck'],
  ])("Workstation's lock folder on %s, unless it is empty", async (_, name) => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('vm.vmx', attach('x.vmdk'));
    mkdirSync(folder.at(name));
    expect(await codes(path)).toEqual([]);
    folder.text(`${name}/M12345.lck`, 'host');
    const { reasons } = await open(path);
    expect(reasons).toMatchObject([{ code: 'locked', hint: expect.stringContaining('power') }]);
  });

  it('a lock file of VMFS on the machine', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.vmx('vm.vmx', attach('x.vmdk'));
    folder.text('vm.vmx.lck', '');
    expect(await codes(path)).toEqual(['locked']);
  });

  it.each([
    ['vm-1a2b3c4d.vswp', 'running'],
    ['vmx-vm-1a2b3c4d.vswp', 'running'],
    ['vm-1a2b3c4d.vmss', 'suspended'],
  ])('%s of the machine, not of another one', async (name, code) => {
    const folder = new VmFolder();
    const [x, y] = [folder.disk('x'), folder.disk('y')];
    folder.vmx('vm.vmx', attach('x.vmdk'));
    folder.vmx('other.vmx', attach('y.vmdk'));
    folder.text(name, '');
    expect([await codes(x), await codes(y)]).toEqual([[code], []]);
  });

  it('a swap file of nobody known', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('lost.vswp', '');
    expect(await codes(path)).toEqual(['running']);
  });
});

describe('change tracking', () => {
  it('is found with its file, and stops nothing', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x', { changeTracking: true });
    folder.image('x-ctk.vmdk', 4096);
    const source = await open(path);
    expect(source.changeTracking).toEqual({ path: folder.at('x-ctk.vmdk') });
    expect(source.reasons).toEqual([]);
  });

  it('is found by the version alone', async () => {
    const folder = new VmFolder();
    folder.disk('x');
    const path = folder.text('x.vmdk', descriptorText().replace('version=1', 'version=3'));
    expect((await open(path)).changeTracking).toEqual({ path: folder.at('x-ctk.vmdk') });
  });

  it.each(['../x-ctk.vmdk', '/etc/x-ctk.vmdk', 'passwd', 'x-flat.vmdk', 'sub\\x-ctk.vmdk', '..'])(
    'is refused when its file would be %s: the file is going to be removed',
    async (name) => {
      const folder = new VmFolder();
      folder.disk('x');
      const path = folder.text(
        'x.vmdk',
        descriptorText({ changeTracking: true }).replace('x-ctk.vmdk', name),
      );
      const source = await open(path);
      expect(source.changeTracking).toBeNull();
      expect(source.reasons.map(({ code }) => code)).toEqual(['change-tracking']);
    },
  );

  it('is refused when its file is an extent', async () => {
    const folder = new VmFolder();
    folder.image('x-ctk.vmdk', 1 << 20);
    const extents = ['RW 2048 VMFS "x-ctk.vmdk"'];
    const path = folder.text('x.vmdk', descriptorText({ changeTracking: true, extents }));
    expect(await codes(path)).toEqual(['change-tracking']);
  });
});
