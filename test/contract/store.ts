import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Store, temporaryNameOf } from '../../src/device/store.js';
import { randomBytes } from '../support/random.js';

export interface StoreUnderTest {
  readonly store: Store;
  /** An empty folder to work in. */
  readonly folder: string;
  /** Makes a symbolic link, past the store. */
  link(target: string, path: string): Promise<void>;
  mode(path: string): Promise<number>;
  setMode(path: string, mode: number): Promise<void>;
  cleanup(): Promise<void>;
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const MAX = 1 << 20;

/** What every Store promises. `make` is called for each case. */
export function storeContract(name: string, make: () => Promise<StoreUnderTest>): void {
  describe(`${name} is a store`, () => {
    let subject: StoreUnderTest;
    beforeEach(async () => {
      subject = await make();
    });
    afterEach(() => subject.cleanup());
    const current = (): StoreUnderTest => subject;

    pathContract(current);
    lookContract(current);
    readContract(current);
    replaceContract(current);
    renameContract(current);
    folderContract(current);
    openContract(current);
  });
}

type Current = () => StoreUnderTest;
const at = (subject: StoreUnderTest, ...names: string[]): string =>
  subject.store.join(subject.folder, ...names);

function pathContract(current: Current): void {
  it('takes paths apart and puts them together', () => {
    const { store, folder } = current();
    const path = store.join(folder, 'sub', 'disk.vmdk');
    expect(store.nameOf(path)).toBe('disk.vmdk');
    expect(store.nameOf(store.folderOf(path))).toBe('sub');
    expect(store.folderOf(store.folderOf(path))).toBe(folder);
    expect(store.isAbsolute(path)).toBe(true);
    expect(store.isAbsolute('disk.vmdk')).toBe(false);
    expect(store.label).not.toBe('');
  });
}

function lookContract(current: Current): void {
  it('tells what is there, without following links', async () => {
    const { store, folder, link } = current();
    const file = at(current(), 'file');
    await store.replaceFile(file, randomBytes(5000, 1));
    await link(file, at(current(), 'link'));
    await link(at(current(), 'nowhere'), at(current(), 'dangling'));
    expect(await store.stat(file)).toMatchObject({ kind: 'file', sizeBytes: 5000 });
    const allocated = (await store.stat(file))?.allocatedBytes;
    expect(allocated === null || (allocated ?? 0) >= 5000).toBe(true);
    expect(await store.stat(folder)).toMatchObject({ kind: 'folder' });
    expect(await store.stat(at(current(), 'link'))).toMatchObject({ kind: 'link' });
    expect(await store.stat(at(current(), 'dangling'))).toMatchObject({ kind: 'link' });
    expect(await store.stat(at(current(), 'nowhere'))).toBeUndefined();
    expect(await store.stat(at(current(), 'file', 'below'))).toBeUndefined();
  });

  it('resolves links', async () => {
    const { store, link } = current();
    await store.createFolder(at(current(), 'real'));
    await store.replaceFile(at(current(), 'real', 'file'), text('x'));
    await link(at(current(), 'real'), at(current(), 'link'));
    expect(await store.realPath(at(current(), 'link', 'file'))).toBe(
      await store.realPath(at(current(), 'real', 'file')),
    );
    await expect(store.realPath(at(current(), 'nowhere'))).rejects.toMatchObject({
      family: 'device',
      code: 'not-found',
    });
  });

  it('lists in name order, kinds told, links not followed', async () => {
    const { store, folder, link } = current();
    for (const name of ['b', 'a10', 'a9', 'B', 'ä']) await store.replaceFile(at(current(), name), text(name));
    await store.createFolder(at(current(), 'c'));
    await link(at(current(), 'a9'), at(current(), 'z'));
    expect(await store.list(folder)).toEqual([
      { name: 'B', kind: 'file' },
      { name: 'a10', kind: 'file' },
      { name: 'a9', kind: 'file' },
      { name: 'b', kind: 'file' },
      { name: 'c', kind: 'folder' },
      { name: 'z', kind: 'link' },
      { name: 'ä', kind: 'file' },
    ]);
    await expect(store.list(at(current(), 'b'))).rejects.toMatchObject({ family: 'device' });
    await expect(store.list(at(current(), 'nowhere'))).rejects.toMatchObject({ family: 'device' });
  });

  it('tells the free space', async () => {
    const free = await current().store.freeBytes(current().folder);
    expect(free === null || (Number.isSafeInteger(free) && free > 0)).toBe(true);
  });

  it('tells the file system that holds a folder, or that it cannot', async () => {
    const { store, folder } = current();
    const volume = await store.volumeOf(folder);
    if (volume === null) return;
    expect(folder.startsWith(volume.path)).toBe(true);
    expect(volume.name).not.toBe('');
    expect(volume.capacityBytes).toBeGreaterThan(0);
    expect(volume.usedBytes + volume.freeBytes).toBeLessThanOrEqual(volume.capacityBytes);
    expect((await store.volumeOf(store.folderOf(folder)))?.path.length).toBeLessThanOrEqual(
      volume.path.length,
    );
  });
}

function readContract(current: Current): void {
  it('reads whole files up to a bound', async () => {
    const { store } = current();
    const file = at(current(), 'file');
    await store.replaceFile(file, randomBytes(1000, 1));
    expect(await store.readFile(file, 1000)).toEqual(randomBytes(1000, 1));
    await expect(store.readFile(file, 999)).rejects.toMatchObject({
      family: 'device',
      code: 'file-too-large',
    });
    await expect(store.readFile(at(current(), 'nowhere'), 1)).rejects.toMatchObject({
      family: 'device',
      code: 'not-found',
    });
    await expect(store.readFile(current().folder, MAX)).rejects.toMatchObject({ name: 'VmreclaimError' });
    await store.replaceFile(file, new Uint8Array(0));
    expect(await store.readFile(file, 0)).toHaveLength(0);
  });
}

function replaceContract(current: Current): void {
  it('replaces a file, keeps its mode, leaves nothing beside it', async () => {
    const { store, folder, mode, setMode } = current();
    const file = at(current(), 'disk.vmdk');
    await store.replaceFile(file, text('one'));
    await setMode(file, 0o640);
    const before = await store.stat(file);
    await store.replaceFile(file, text('three'));
    expect(await store.readFile(file, MAX)).toEqual(text('three'));
    expect(await mode(file)).toBe(0o640);
    if (before?.inode !== '') expect((await store.stat(file))?.inode).not.toBe(before?.inode);
    expect(await store.list(folder)).toHaveLength(1);
  });

  it('clears away what a crash left behind', async () => {
    const { store, folder } = current();
    const file = at(current(), 'file');
    await (await store.open(at(current(), temporaryNameOf('file')), 'create')).close();
    await store.replaceFile(file, text('whole'));
    expect(await store.readFile(file, MAX)).toEqual(text('whole'));
    expect(await store.list(folder)).toEqual([{ name: 'file', kind: 'file' }]);
  });

  it('replaces the target of a link, not the link', async () => {
    const { store, link } = current();
    const file = at(current(), 'file');
    await store.replaceFile(file, text('one'));
    await link(file, at(current(), 'link'));
    await store.replaceFile(at(current(), 'link'), text('two'));
    expect(await store.stat(at(current(), 'link'))).toMatchObject({ kind: 'link' });
    expect(await store.readFile(file, MAX)).toEqual(text('two'));
  });

  it('fails without a trace where it cannot', async () => {
    const { store, folder } = current();
    await store.createFolder(at(current(), 'sub'));
    await expect(store.replaceFile(at(current(), 'nowhere', 'f'), text('x'))).rejects.toMatchObject({
      family: 'device',
    });
    await expect(store.replaceFile(at(current(), 'sub'), text('x'))).rejects.toMatchObject({
      family: 'device',
    });
    expect(await store.list(folder)).toEqual([{ name: 'sub', kind: 'folder' }]);
  });
}

function renameContract(current: Current): void {
  it('renames, but never onto something', async () => {
    const { store, link } = current();
    const [a, b, c] = [at(current(), 'a'), at(current(), 'b'), at(current(), 'c')];
    await store.replaceFile(a, text('a'));
    await store.replaceFile(b, text('b'));
    await link(at(current(), 'nowhere'), c);
    const exists = { family: 'conflict', code: 'exists' };
    await expect(store.rename(a, b)).rejects.toMatchObject(exists);
    await expect(store.rename(a, c)).rejects.toMatchObject(exists);
    expect(await store.readFile(b, MAX)).toEqual(text('b'));
    await store.rename(a, at(current(), 'd'));
    expect(await store.stat(a)).toBeUndefined();
    expect(await store.readFile(at(current(), 'd'), MAX)).toEqual(text('a'));
    await expect(store.rename(a, at(current(), 'e'))).rejects.toMatchObject({
      family: 'device',
      code: 'not-found',
    });
  });
}

function folderContract(current: Current): void {
  it('makes a folder for the first who asks', async () => {
    const { store } = current();
    const sub = at(current(), 'sub');
    const results = await Promise.allSettled([store.createFolder(sub), store.createFolder(sub)]);
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    await expect(store.createFolder(sub)).rejects.toMatchObject({ family: 'conflict', code: 'exists' });
    await expect(store.createFolder(at(current(), 'x', 'y'))).rejects.toMatchObject({ family: 'device' });
  });

  it('removes several entries of a folder; nothing there is fine', async () => {
    const { store } = current();
    for (const name of ['one', 'two', 'three'])
      await store.replaceFile(at(current(), name), new Uint8Array(1));
    await store.removeAll(at(current()), ['one', 'nothing', 'three']);
    expect((await store.list(at(current()))).map(({ name }) => name)).toEqual(['two']);
    await store.removeAll(at(current()), []);
    await expect(store.removeAll(at(current(), 'two'), ['below'])).resolves.toBeUndefined();
  });

  it('removes files, links and empty folders; nothing there is fine', async () => {
    const { store, folder, link } = current();
    const [file, sub] = [at(current(), 'file'), at(current(), 'sub')];
    await store.replaceFile(file, text('x'));
    await store.createFolder(sub);
    await store.replaceFile(at(current(), 'sub', 'inside'), text('x'));
    await link(file, at(current(), 'link'));
    await expect(store.remove(sub)).rejects.toMatchObject({ family: 'device' });
    await store.remove(at(current(), 'link'));
    expect(await store.readFile(file, MAX)).toEqual(text('x'));
    await store.remove(at(current(), 'sub', 'inside'));
    for (const path of [sub, file, file, at(current(), 'nowhere')]) await store.remove(path);
    expect(await store.list(folder)).toEqual([]);
  });
}

function openContract(current: Current): void {
  it('opens files to read, to write and new ones', async () => {
    const { store, folder } = current();
    const path = at(current(), 'file');
    await expect(store.open(path, 'read')).rejects.toMatchObject({ family: 'device', code: 'not-found' });
    await expect(store.open(path, 'write')).rejects.toMatchObject({ family: 'device', code: 'not-found' });
    const created = await store.open(path, 'create');
    expect(created.sizeBytes).toBe(0);
    await created.resize(1000);
    await created.writeAt(100, randomBytes(50, 1));
    await created.flush();
    await created.close();
    await expect(store.open(path, 'create')).rejects.toMatchObject({ family: 'conflict', code: 'exists' });
    const reader = await store.open(path, 'read');
    expect(reader.capabilities).toMatchObject({ writable: false, discard: false, resizable: false });
    expect(await reader.readAt(100, 50)).toEqual(randomBytes(50, 1));
    await expect(reader.writeAt(0, text('x'))).rejects.toMatchObject({ family: 'internal' });
    await expect(reader.lock()).rejects.toMatchObject({ family: 'internal' });
    await reader.close();
    await expect(store.open(folder, 'read')).rejects.toMatchObject({ name: 'VmreclaimError' });
  });

  it('locks a file for one', async () => {
    const { store } = current();
    const path = at(current(), 'file');
    await store.replaceFile(path, text('x'));
    const [first, second] = [await store.open(path, 'write'), await store.open(path, 'write')];
    await first.lock();
    await expect(second.lock()).rejects.toMatchObject({ family: 'conflict', code: 'in-use' });
    await first.close();
    await second.lock();
    await second.close();
  });
}
