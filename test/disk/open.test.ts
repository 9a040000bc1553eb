import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { localStore } from '../../src/backends/local/local-store.js';
import { type OpenSourceOptions, openDisk, openSource } from '../../src/disk/open.js';
import { corpus, judge, run } from '../support/judges.js';
import { cleanUpFolders, descriptorText, VmFolder, watched } from './vm-folder.js';

cleanUpFolders();

const { store } = watched(localStore);
const open = (path: string, options?: OpenSourceOptions) => openSource(store, path, options);
const codes = (reasons: readonly { code: string }[]) => reasons.map(({ code }) => code);

describe('openSource', () => {
  it('opens a flat disk by its descriptor, without a write', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    const source = await open(path);
    expect(source).toMatchObject({
      path,
      createType: 'vmfs',
      sizeBytes: 1 << 20,
      allocatedBytes: 0,
      vm: null,
      changeTracking: null,
      reasons: [],
      warnings: [],
      extents: [{ path: folder.at('x-flat.vmdk'), sizeBytes: 1 << 20, diskOffset: 0 }],
    });
    expect(source.descriptor).toMatchObject({ path, parsed: { cid: '1234abcd' } });
  });

  it('opens a split disk with extents of unequal size', async () => {
    const folder = new VmFolder();
    const sectors = [2048, 100, 4096];
    sectors.forEach((count, index) => {
      folder.image(`x-f00${index + 1}.vmdk`, count * 512, `extent ${index + 1}`);
    });
    const extents = sectors.map((count, index) => `RW ${count} FLAT "x-f00${index + 1}.vmdk" 0`);
    const path = folder.text('x.vmdk', descriptorText({ createType: 'twoGbMaxExtentFlat', extents }));
    const source = await open(path);
    expect(source.reasons).toEqual([]);
    expect(source.sizeBytes).toBe(6244 * 512);
    expect(source.extents.map((extent) => extent.diskOffset)).toEqual([0, 2048 * 512, 2148 * 512]);
    const { device } = await openDisk(source, { writable: false });
    const text = async (at: number) => Buffer.from(await device.readAt(at, 8)).toString();
    expect([await text(0), await text(2048 * 512), await text(2148 * 512)]).toEqual([
      'extent 1',
      'extent 2',
      'extent 3',
    ]);
    await device.close();
  });

  it('takes a descriptor for one whatever its name, and the bytes of a disk for a disk', async () => {
    const folder = new VmFolder();
    folder.image('x-flat.vmdk', 1 << 20);
    const named = folder.text('notes.txt', descriptorText());
    expect((await open(named)).createType).toBe('vmfs');
    const image = folder.image('disk.vmdk', 1 << 20, '\xeb\x63');
    expect(await open(image)).toMatchObject({ createType: 'raw', descriptor: null, path: image });
  });

  it('refuses to change a flat file that has another name', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    mkdirSync(folder.at('backup'));
    linkSync(folder.at('x-flat.vmdk'), folder.at('backup/x-flat.vmdk'));
    expect(codes((await open(path)).reasons)).toEqual(['hard-links']);
    expect(codes((await open(folder.at('backup/x-flat.vmdk'))).reasons)).toEqual(['hard-links']);
  });

  it('goes from a flat file to the descriptor that names it', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    const source = await open(folder.at('x-flat.vmdk'));
    expect(source).toMatchObject({ path, createType: 'vmfs', reasons: [] });
    expect(codes(source.warnings)).toEqual(['extent-of-descriptor']);
  });

  it('goes from a flat file to a damaged descriptor too, and stops there', async () => {
    const folder = new VmFolder();
    folder.text('other.vmdk', descriptorText({ extents: ['RW lots VMFS "y-flat.vmdk"'] }));
    const flat = folder.image('y-flat.vmdk', 1 << 20);
    await expect(open(flat)).rejects.toMatchObject({ family: 'damaged', code: 'descriptor' });
  });

  it('follows a link to the real descriptor', async () => {
    const folder = new VmFolder();
    const path = folder.disk('vm/x');
    symlinkSync(path, folder.at('link.vmdk'));
    const source = await open(folder.at('link.vmdk'));
    expect(source).toMatchObject({ path, reasons: [] });
    expect(codes(source.warnings)).toEqual(['link-followed']);
  });

  it.each([
    ['nothing there', (folder: VmFolder) => folder.at('none.vmdk'), 'usage', 'not-found'],
    ['a folder', (folder: VmFolder) => folder.path, 'usage', 'is-folder'],
    ['a device', () => '/dev/null', 'unsupported', 'not-a-file'],
    ['an empty file', (folder: VmFolder) => folder.text('e.vmdk', ''), 'damaged', 'no-disk'],
    [
      'a file of less than a sector',
      (folder: VmFolder) => folder.text('s.img', 'hello'),
      'damaged',
      'no-disk',
    ],
  ])('says what is wrong with %s', async (_, make, family, code) => {
    await expect(open(make(new VmFolder()))).rejects.toMatchObject({ family, code });
  });

  it('reads an image of no whole number of sectors, but does not change it', async () => {
    const folder = new VmFolder();
    const source = await open(folder.image('x.img', 100_001));
    expect(codes(source.reasons)).toEqual(['odd-size']);
    const { device } = await openDisk(source, { writable: false });
    expect(device.sizeBytes).toBe(100_001);
    await device.close();
    await expect(openDisk(source, { writable: true })).rejects.toMatchObject({
      family: 'refused',
      code: 'odd-size',
    });
  });

  it('finds a name in the character set of the descriptor, or as UTF-8 when that lies', async () => {
    const folder = new VmFolder();
    const flat = folder.at('kühl-flat.vmdk');
    writeFileSync(flat, new Uint8Array(1 << 20));
    const named = (bytes: string) => [`RW 2048 VMFS "${bytes}-flat.vmdk"`];
    const windows = descriptorText({ extents: named('k\xfchl') }).replace('UTF-8', 'windows-1252');
    expect((await open(folder.text('a.vmdk', windows))).extents[0]?.path).toBe(flat);
    const lying = descriptorText({ extents: named('k\xc3\xbchl') }).replace('UTF-8', 'windows-1252');
    expect((await open(folder.text('a.vmdk', lying))).extents[0]?.path).toBe(flat);
  });
});

describe('extent files that do not fit', () => {
  it('too short or missing: damaged', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    truncateSync(folder.at('x-flat.vmdk'), (1 << 20) - 1);
    await expect(open(path)).rejects.toMatchObject({ family: 'damaged', code: 'extent-too-short' });
    renameSync(folder.at('x-flat.vmdk'), folder.at('elsewhere'));
    await expect(open(path)).rejects.toMatchObject({ family: 'damaged', code: 'extent-missing' });
  });

  it('too long: a warning, and the surplus is no part of the disk', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    writeFileSync(folder.at('x-flat.vmdk'), new Uint8Array(2 << 20).fill(7));
    const source = await openSource(localStore, path);
    expect(codes(source.warnings)).toEqual(['extent-too-long']);
    expect(source.reasons).toEqual([]);
    const { device } = await openDisk(source, { writable: true });
    expect(device.sizeBytes).toBe(1 << 20);
    await expect(device.readAt(1 << 20, 1)).rejects.toMatchObject({ code: 'out-of-bounds' });
    await device.resize((1 << 20) + 4096);
    expect(await device.readAt((1 << 20) - 1, 3)).toEqual(Uint8Array.of(7, 0, 0));
    await device.close();
    expect(readFileSync(folder.at('x-flat.vmdk'))).toHaveLength((1 << 20) + 4096);
  });

  it.each(['KDMV', 'COWD'])('beginning with %s: refused', async (magic) => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.image('x-flat.vmdk', 1 << 20, magic);
    const source = await open(path);
    expect(codes(source.reasons)).toEqual(['sparse-extent']);
    expect(source.extents).toEqual([]);
    await expect(openDisk(source, { writable: false })).rejects.toMatchObject({ code: 'sparse-extent' });
  });

  it('named twice, also under two names of one file: refused', async () => {
    const folder = new VmFolder();
    folder.image('a.vmdk', 1 << 20);
    linkSync(folder.at('a.vmdk'), folder.at('b.vmdk'));
    for (const second of ['a', 'b']) {
      const extents = ['RW 2048 FLAT "a.vmdk" 0', `RW 2048 FLAT "${second}.vmdk" 0`];
      const path = folder.text('x.vmdk', descriptorText({ createType: 'twoGbMaxExtentFlat', extents }));
      expect(codes((await open(path)).reasons)).toEqual(['extent-twice']);
    }
  });

  it('a folder: refused', async () => {
    const folder = new VmFolder();
    mkdirSync(folder.at('x-flat.vmdk'));
    expect(codes((await open(folder.text('x.vmdk', descriptorText()))).reasons)).toEqual([
      'extent-not-a-file',
    ]);
  });
});

describe('extents outside the folder of the descriptor', () => {
  const outside = (name: string, folder: VmFolder) =>
    folder.text('vm/x.vmdk', descriptorText({ extents: [`RW 2048 VMFS "${name}"`] }));

  it.each([
    ['an absolute path', (folder: VmFolder) => outside(folder.at('far-flat.vmdk'), folder)],
    ['a way up', (folder: VmFolder) => outside('../far-flat.vmdk', folder)],
    ['a way down and up', (folder: VmFolder) => outside('sub/../../far-flat.vmdk', folder)],
    [
      'a link',
      (folder: VmFolder) => {
        const path = outside('near-flat.vmdk', folder);
        symlinkSync(folder.at('far-flat.vmdk'), folder.at('vm/near-flat.vmdk'));
        return path;
      },
    ],
    [
      'a link to a folder',
      (folder: VmFolder) => {
        const path = outside('down/far-flat.vmdk', folder);
        symlinkSync(folder.path, folder.at('vm/down'));
        return path;
      },
    ],
  ])('%s: refused, unless it is allowed', async (_, make) => {
    const folder = new VmFolder();
    const far = folder.image('far-flat.vmdk', 1 << 20);
    mkdirSync(folder.at('vm/sub'), { recursive: true });
    const path = make(folder);
    const source = await open(path);
    expect(codes(source.reasons)).toEqual(['outside-extent']);
    expect(source.reasons[0]?.hint).toContain('--allow-outside-extents');
    expect(source.extents).toEqual([]);
    const allowed = await open(path, { allowOutsideExtents: true });
    expect(allowed.reasons).toEqual([]);
    expect(allowed.extents[0]?.path).toBe(far);
  });

  it('a folder below is inside', async () => {
    const folder = new VmFolder();
    folder.image('vm/sub/far-flat.vmdk', 1 << 20);
    expect((await open(outside('sub/far-flat.vmdk', folder))).reasons).toEqual([]);
  });

  it('the folder itself may be reached by a link, as datastores are', async () => {
    const folder = new VmFolder();
    folder.disk('uuid/x');
    symlinkSync('uuid', folder.at('datastore1'));
    expect((await open(folder.at('datastore1/x.vmdk'))).reasons).toEqual([]);
  });
});

describe('runs in flight', () => {
  it('are seen by the run folder, also when the descriptor is back', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    folder.text('x.vmdk.vmreclaim/run.json', '{}');
    const { reasons } = await open(path);
    expect(reasons).toEqual([
      expect.objectContaining({ code: 'interrupted', hint: `vmreclaim resume ${path}` }),
    ]);
  });

  it('are opened through the hidden descriptor, by any of the names', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    renameSync(path, `${path}.hidden-by-vmreclaim`);
    folder.text('x.vmdk.vmreclaim/run.json', '{}');
    for (const name of ['x.vmdk', 'x-flat.vmdk', 'x.vmdk.hidden-by-vmreclaim']) {
      const source = await open(folder.at(name));
      expect(source).toMatchObject({ path, createType: 'vmfs', descriptor: { path } });
      expect(codes(source.reasons)).toEqual(['interrupted']);
    }
  });

  it('may be written: the file tells the size, which the descriptor does not know yet', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    renameSync(path, `${path}.hidden-by-vmreclaim`);
    folder.text('x.vmdk.vmreclaim/run.json', '{}');
    truncateSync(folder.at('x-flat.vmdk'), 3 << 20);
    const source = await openSource(localStore, path);
    expect(source.sizeBytes).toBe(3 << 20);
    const { device } = await openDisk(source, { writable: true });
    await device.writeAt((3 << 20) - 1, Uint8Array.of(1));
    await device.close();
  });
});

describe('what runs leave behind', () => {
  it('a run folder without its header is no run', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    mkdirSync(folder.at('x.vmdk.vmreclaim'));
    expect((await open(path)).reasons).toEqual([]);
  });

  it('a hidden descriptor without a run is for a person to judge', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    renameSync(path, `${path}.hidden-by-vmreclaim`);
    expect(codes((await open(path)).reasons)).toEqual(['hidden-descriptor']);
    folder.text('x.vmdk', descriptorText());
    expect(codes((await open(path)).reasons)).toEqual(['hidden-descriptor']);
  });

  it('a bare image with a run is interrupted too', async () => {
    const folder = new VmFolder();
    const path = folder.image('x.img', 1 << 20);
    folder.text('x.img.vmreclaim/run.json', '{}');
    expect(codes((await open(path)).reasons)).toEqual(['interrupted']);
  });
});

describe('openDisk', () => {
  it('gives a device that cannot be written, unless asked for', async () => {
    const folder = new VmFolder();
    const source = await openSource(localStore, folder.disk('x'));
    const { device } = await openDisk(source, { writable: false });
    expect(device.capabilities.writable).toBe(false);
    await expect(device.writeAt(0, Uint8Array.of(1))).rejects.toMatchObject({ code: 'read-only' });
    await device.close();
    const writable = await openDisk(source, { writable: true });
    await writable.device.writeAt(0, Uint8Array.of(1));
    await writable.device.flush();
    await writable.device.close();
    expect(readFileSync(folder.at('x-flat.vmdk'))[0]).toBe(1);
  });

  it('locks every extent file while it writes', async () => {
    const folder = new VmFolder();
    const source = await openSource(localStore, folder.disk('x'));
    const first = await openDisk(source, { writable: true });
    await expect(openDisk(source, { writable: true })).rejects.toMatchObject({
      family: 'conflict',
      code: 'in-use',
    });
    await first.device.close();
    await (await openDisk(source, { writable: true })).device.close();
  });

  it('notices a file that was replaced or cut since', async () => {
    const folder = new VmFolder();
    const path = folder.disk('x');
    const source = await openSource(localStore, path);
    truncateSync(folder.at('x-flat.vmdk'), 4096);
    await expect(openDisk(source, { writable: false })).rejects.toMatchObject({
      family: 'conflict',
      code: 'changed',
    });
    folder.image('new', 1 << 20);
    renameSync(folder.at('new'), folder.at('x-flat.vmdk'));
    await expect(openDisk(source, { writable: true })).rejects.toMatchObject({
      family: 'conflict',
      code: 'changed',
    });
  });

  it('does not open for writing what stands under a reason', async () => {
    const folder = new VmFolder();
    const source = await open(folder.disk('x', { parentCid: '11111111', hint: 'y.vmdk' }));
    await expect(openDisk(source, { writable: true })).rejects.toMatchObject({ code: 'linked-child' });
    await (await openDisk(source, { writable: false })).device.close();
  });
});

const samples = corpus();
describe.skipIf(samples === undefined)('the corpus', () => {
  /** The corpus' VMDK files, unpacked, in one folder. */
  const unpack = (...names: string[]): VmFolder => {
    const folder = new VmFolder();
    for (const name of names) {
      const bytes = readFileSync(join(samples ?? '', 'vmdk', name));
      writeFileSync(folder.at(name.replace(/\.gz$/, '')), name.endsWith('.gz') ? gunzipSync(bytes) : bytes);
    }
    return folder;
  };

  it.each([
    ['monolithicFlat', ['monolithicFlat.vmdk', 'monolithicFlat-flat.vmdk.gz']],
    ['twoGbMaxExtentFlat', ['twoGbMaxExtentFlat.vmdk', 'twoGbMaxExtentFlat-f001.vmdk.gz']],
  ])('%s is ready, with NTFS at LBA 128', async (createType, names) => {
    const folder = unpack(...names);
    const source = await open(folder.at(`${createType}.vmdk`));
    expect(source).toMatchObject({ createType, sizeBytes: 10 << 20, reasons: [], warnings: [] });
    const { device } = await openDisk(source, { writable: false });
    expect(Buffer.from(await device.readAt(128 * 512 + 3, 4)).toString()).toBe('NTFS');
    await device.close();
  });

  it.each([
    ['monolithicSparse', ['monolithicSparse.vmdk.gz']],
    ['streamOptimized', ['streamOptimized.vmdk.gz']],
    ['twoGbMaxExtentSparse', ['twoGbMaxExtentSparse.vmdk', 'twoGbMaxExtentSparse-s001.vmdk.gz']],
  ])('%s is refused by its name', async (createType, names) => {
    const source = await open(unpack(...names).at(`${createType}.vmdk`));
    expect(source).toMatchObject({ createType, sizeBytes: 10 << 20, extents: [] });
    expect(source.reasons[0]).toMatchObject({
      code: 'create-type',
      message: expect.stringContaining(createType),
    });
    await expect(openDisk(source, { writable: false })).rejects.toMatchObject({ code: 'create-type' });
  });

  it('an extent of a split sparse disk leads to its descriptor', async () => {
    const folder = unpack('twoGbMaxExtentSparse.vmdk', 'twoGbMaxExtentSparse-s001.vmdk.gz');
    const source = await open(folder.at('twoGbMaxExtentSparse-s001.vmdk'));
    expect(source.path).toBe(folder.at('twoGbMaxExtentSparse.vmdk'));
  });

  it('vmfs_thick is ready alone, and refused beside its snapshot', async () => {
    const alone = unpack('vmfs_thick.vmdk', 'vmfs_thick-flat.vmdk.gz');
    expect(await open(alone.at('vmfs_thick.vmdk'))).toMatchObject({ createType: 'vmfs', reasons: [] });
    const both = unpack('vmfs_thick.vmdk', 'vmfs_thick-flat.vmdk.gz', 'vmfs_thick-000001.vmdk');
    const base = await open(both.at('vmfs_thick.vmdk'));
    expect(codes(base.reasons)).toEqual(['snapshots']);
    expect(base.reasons[0]?.message).toContain('vmfs_thick-000001.vmdk has it as parent');
    const child = await open(both.at('vmfs_thick-000001.vmdk'));
    expect(child.createType).toBe('vmfsSparse');
    expect(codes(child.reasons)).toContain('linked-child');
  });
});

describe.skipIf(!judge('qemu-img'))('disks that qemu-img makes', () => {
  it.each([
    ['monolithicFlat', 0],
    ['twoGbMaxExtentFlat', 0],
    ['monolithicSparse', 1],
    ['twoGbMaxExtentSparse', 1],
    ['streamOptimized', 1],
  ])('%s', async (subformat, refusals) => {
    const folder = new VmFolder();
    const path = folder.at('q.vmdk');
    run('qemu-img', ['create', '-q', '-f', 'vmdk', '-o', `subformat=${subformat}`, path, '5G']);
    const source = await open(path);
    expect(source).toMatchObject({ createType: subformat, sizeBytes: 5 * 2 ** 30 });
    expect(source.reasons.length > 0).toBe(refusals > 0);
  });
});
