import { chmodSync, mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { localStore } from '../../src/backends/local/local-store.js';
import { discover } from '../../src/disk/discover.js';
import { FolderCache } from '../../src/disk/folder.js';
import { openSource } from '../../src/disk/open.js';
import { cleanUpFolders, descriptorText, VmFolder, watched } from './vm-folder.js';

cleanUpFolders();

const { store } = watched(localStore);

/** Paths below the folder; errors as `path!code`. */
async function found(folder: VmFolder, ...targets: string[]): Promise<string[]> {
  const seen = new Set<string>();
  const names: string[] = [];
  for (const target of targets.length === 0 ? [folder.path] : targets) {
    for await (const { path, error } of discover(store, target, { seen })) {
      const name = path.startsWith(folder.path) ? path.slice(folder.path.length + 1) : path;
      names.push(error === undefined ? name : `${name}!${error.code}`);
    }
  }
  return names;
}

describe('discover in folders', () => {
  it('lists disks once, in the order of their paths', async () => {
    const folder = new VmFolder();
    for (const name of ['b/x', 'a/y', 'a-b/z', 'a/sub/w', 'top']) folder.disk(name);
    folder.vmx('a/vm.vmx', ['scsi0:0.fileName = "y.vmdk"']);
    const names = await found(folder);
    expect(names).toEqual(['a-b/z.vmdk', 'a/sub/w.vmdk', 'a/y.vmdk', 'b/x.vmdk', 'top.vmdk']);
    expect(names).toEqual([...names].sort());
  });

  it('lists snapshots and sparse disks, which end refused, but not their extents', async () => {
    const folder = new VmFolder();
    folder.disk('x');
    const extents = ['RW 2048 VMFSSPARSE "x-000001-delta.vmdk"'];
    folder.text(
      'x-000001.vmdk',
      descriptorText({ createType: 'vmfsSparse', parentCid: '1234abcd', hint: 'x.vmdk', extents }),
    );
    folder.image('x-000001-delta.vmdk', 1 << 20, 'COWD');
    folder.image('mono.vmdk', 1 << 20, 'KDMV');
    folder.image('x-ctk.vmdk', 4096);
    expect(await found(folder)).toEqual(['mono.vmdk', 'x-000001.vmdk', 'x.vmdk']);
  });

  it('lists flat files without a descriptor, raw images, and nothing else', async () => {
    const folder = new VmFolder();
    for (const name of ['lost-flat.vmdk', 'a.raw', 'b.IMG', 'c.iso', 'd-f001.vmdk', 'notes.txt']) {
      folder.image(name, 1 << 20);
    }
    expect(await found(folder)).toEqual(['a.raw', 'b.IMG', 'lost-flat.vmdk']);
  });

  it('a flat file of a damaged descriptor is not a disk of its own', async () => {
    const folder = new VmFolder();
    folder.disk('x');
    folder.text('x.vmdk', descriptorText().replace('RW 2048', 'QW 2048'));
    expect(await found(folder)).toEqual(['x.vmdk']);
  });

  it('reports a small .vmdk that is no descriptor any more', async () => {
    const folder = new VmFolder();
    folder.text('x.vmdk', `\0${descriptorText()}`);
    expect(await found(folder)).toEqual(['x.vmdk!no-disk']);
  });

  it('does not follow links, so that loops are no loops', async () => {
    const folder = new VmFolder();
    const outside = new VmFolder();
    outside.disk('far');
    folder.disk('vm/x');
    symlinkSync('..', folder.at('vm/loop'));
    symlinkSync(outside.path, folder.at('elsewhere'));
    symlinkSync(outside.at('far.vmdk'), folder.at('far.vmdk'));
    symlinkSync('nowhere', folder.at('broken.vmdk'));
    expect(await found(folder)).toEqual(['vm/x.vmdk']);
  });

  it('follows a link that is the target itself, under its own name', async () => {
    const folder = new VmFolder();
    folder.disk('uuid/x');
    symlinkSync('uuid', folder.at('datastore1'));
    expect(await found(folder, folder.at('datastore1'))).toEqual(['datastore1/x.vmdk']);
    expect(await found(folder, folder.at('datastore1'), folder.at('uuid'))).toEqual(['datastore1/x.vmdk']);
  });

  it('leaves out hidden folders, lock folders and the folders of runs', async () => {
    const folder = new VmFolder();
    for (const name of ['.snapshot/x', 'x.vmdk.lck/x', 'y.vmdk.vmreclaim/spill']) folder.disk(name);
    expect(await found(folder)).toEqual([]);
  });

  it('lists a disk whose run was interrupted under its own name', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    renameSync(path, `${path}.hidden-by-vmreclaim`);
    folder.text('x.vmdk.vmreclaim/run.json', '{}');
    expect(await found(folder)).toEqual(['x.vmdk']);
    expect(await found(folder, path, folder.at('x-flat.vmdk'))).toEqual(['x.vmdk']);
    const { reasons } = await openSource(store, path);
    expect(reasons.map(({ code }) => code)).toEqual(['interrupted']);
  });

  it('ends at a depth that no datastore has', async () => {
    const folder = new VmFolder();
    folder.disk(`${'d/'.repeat(32)}x`);
    folder.disk(`${'d/'.repeat(34)}y`);
    const names = await found(folder);
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/!too-deep$/);
    expect(names[1]).toMatch(/d\/x\.vmdk$/);
  });

  it.skipIf(process.getuid?.() === 0)('goes on behind a folder that cannot be listed', async () => {
    const folder = new VmFolder();
    folder.disk('z/x');
    mkdirSync(folder.at('a'), { mode: 0 });
    expect(await found(folder)).toEqual([expect.stringMatching(/^a!/), 'z/x.vmdk']);
    chmodSync(folder.at('a'), 0o700);
  });

  it('goes on behind a folder that cannot be listed (by a store that says so)', async () => {
    const folder = new VmFolder();
    folder.disk('z/x');
    folder.disk('a/y');
    const faulty = {
      ...localStore,
      list: (path: string) => (path.endsWith('/a') ? localStore.list('/dev/null') : localStore.list(path)),
    };
    const results = [];
    for await (const { path, error } of discover(faulty, folder.path)) results.push([path, error?.family]);
    expect(results).toEqual([
      [folder.at('a'), 'device'],
      [folder.at('z/x.vmdk'), undefined],
    ]);
  });
});

describe('discover of single targets', () => {
  it('takes descriptor, flat file and extent of a disk for one', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.image('s-f001.vmdk', 1 << 20);
    const extents = ['RW 2048 FLAT "s-f001.vmdk" 0'];
    folder.text('s.vmdk', descriptorText({ createType: 'twoGbMaxExtentFlat', extents }));
    const targets = [
      folder.at('x-flat.vmdk'),
      path,
      folder.at('s-f001.vmdk'),
      folder.at('.//s.vmdk'),
      folder.path,
    ];
    expect(await found(folder, ...targets)).toEqual(['x.vmdk', 's.vmdk']);
  });

  it('takes a .vmx for its disks, wherever they are', async () => {
    const folder = new VmFolder();
    for (const name of ['vm/b', 'vm/a', 'far/c', 'vm/unused']) folder.disk(name);
    const files = ['b.vmdk', 'a.vmdk', '../far/c.vmdk', folder.at('far/c.vmdk'), 'missing.vmdk'];
    const vmx = folder.vmx(
      'vm/vm.vmx',
      files.map((name, index) => `scsi0:${index}.fileName = "${name}"`),
    );
    expect(await found(folder, vmx)).toEqual(['far/c.vmdk', 'vm/a.vmdk', 'vm/b.vmdk', 'vm/missing.vmdk']);
  });

  it('takes a raw image by any name', async () => {
    const folder = new VmFolder();
    expect(await found(folder, folder.image('disk', 1 << 20))).toEqual(['disk']);
  });

  it('reports what is not there and what cannot be read, and goes on', async () => {
    const folder = new VmFolder();
    const vmx = folder.text('bad.vmx', 'garbage\n');
    const path = folder.disk('x');
    expect(await found(folder, folder.at('none'), vmx, path)).toEqual([
      'none!not-found',
      'bad.vmx!vmx',
      'x.vmdk',
    ]);
  });
});

describe('scale', () => {
  const scanAll = async (folder: VmFolder) => {
    const { store: counted, calls } = watched(localStore);
    const folders = new FolderCache(counted);
    let disks = 0;
    for await (const { path, error } of discover(counted, folder.path, { folders })) {
      expect(error).toBeUndefined();
      expect((await openSource(counted, path, { folders })).vm).not.toBeNull();
      disks++;
    }
    return { disks, calls };
  };
  const lay = (folder: VmFolder, count: number, where: (index: number) => string) => {
    for (let index = 0; index < count; index++) {
      folder.disk(`${where(index)}d${index}`);
      folder.vmx(`${where(index)}d${index}.vmx`, [`scsi0:0.fileName = "d${index}.vmdk"`]);
    }
  };

  it.each([
    ['in folders of their own', (index: number) => `vm${index}/`, 301],
    ['in one folder', () => '', 1],
  ])('300 disks %s: each folder is read once', async (_, where, folders) => {
    const folder = new VmFolder();
    lay(folder, 300, where);
    const started = performance.now();
    const { disks, calls } = await scanAll(folder);
    expect(disks).toBe(300);
    expect(calls.get('list')).toBe(folders);
    // A disk: descriptor for the folder and for itself, the .vmx; never more with more neighbours.
    expect(calls.get('readFile')).toBe(3 * 300);
    expect(calls.get('stat') ?? 0).toBeLessThan(10 * 300);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
