import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isFamily } from '../../../src/core/errors.js';
import { fatFiles } from '../../../src/formats/fat/files.js';
import { judge, run } from '../../support/judges.js';
import { randomBytes } from '../../support/random.js';
import { bytesReader, patchedReader } from '../../support/reader.js';

const folder = mkdtempSync(join(tmpdir(), 'vmreclaim-fat-'));
afterAll(() => rmSync(folder, { recursive: true }));

const LONG_NAME = 'A very long name that needs several entries.xml';

/** A volume with a file in pieces: it fills the gaps of what was deleted. */
function makeFat(bits: string, size: number): { path: string; store: Uint8Array } {
  const path = join(folder, `fat${bits}`);
  const from = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  writeFileSync(path, '');
  truncateSync(path, size);
  run('mkfs.fat', ['-F', bits, '-s', '1', path]);
  const store = randomBytes(20_003, 3);
  const image = ['-i', path];
  for (const name of ['::Boot', '::EFI', '::EFI/Microsoft']) run('mmd', [...image, name]);
  const filler = from('filler', randomBytes(512, 1));
  for (let index = 0; index < 60; index++) run('mcopy', [...image, filler, `::filler-${index}`]);
  for (let index = 0; index < 60; index += 2) run('mdel', [...image, `::filler-${index}`]);
  if (bits === '32') forgetNextFree(path);
  run('mcopy', [...image, from('BCD', store), '::Boot/BCD']);
  run('mcopy', [...image, from('long', Buffer.from('long')), `::EFI/Microsoft/${LONG_NAME}`]);
  return { path, store };
}

/** FAT32 remembers where the last file ended; without that, new ones fill the gaps from the beginning. */
function forgetNextFree(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xff, 512 + 488, 512 + 496);
  writeFileSync(path, bytes);
}

/** Bytes that are flipped one after the other, spread over the used part of a volume. */
const ROUNDS = 2000;

describe.skipIf(!judge('mkfs.fat', 'mcopy', 'fsck.fat'))('files of a FAT volume', () => {
  it.each([
    ['12', 2 << 20],
    ['16', 8 << 20],
    ['32', 40 << 20],
  ])('FAT%s: found by short and long names, read and patched in pieces', async (bits, size) => {
    const { path, store } = makeFat(bits, size);
    const bytes = readFileSync(path);
    const files = await fatFiles(bytesReader(bytes));
    const file = await files.find(['BOOT', 'bcd']);
    if (file === undefined) throw new Error('not found');
    expect(Buffer.from(await file.readAt(0, file.sizeBytes))).toEqual(Buffer.from(store));
    expect(file.places(0, file.sizeBytes).length).toBeGreaterThan(5);
    const long = await files.find(['efi', 'MICROSOFT', LONG_NAME.toUpperCase()]);
    expect(Buffer.from((await long?.readAt(0, 4)) ?? []).toString()).toBe('long');
    expect(await files.find(['Boot', 'nothing'])).toBeUndefined();
    expect(await files.find(['Boot'])).toBeUndefined();
    for (const write of file.patch([{ at: 510, bytes: Buffer.from('PATCH') }], 'test')) {
      bytes.set(write.bytes, write.at);
    }
    writeFileSync(path, bytes);
    run('fsck.fat', ['-n', path]);
    run('mcopy', ['-n', '-o', '-i', path, '::Boot/BCD', join(folder, 'now')]);
    const wanted = Buffer.from(store);
    wanted.write('PATCH', 510);
    expect(readFileSync(join(folder, 'now'))).toEqual(wanted);
  });

  it('FAT32 without mirroring is read by the table that is kept up to date', async () => {
    const { path, store } = makeFat('32', 40 << 20);
    const bytes = readFileSync(path);
    const [reserved, length] = [bytes.readUInt16LE(0x0e) * 512, bytes.readUInt32LE(0x24) * 512];
    // The first table tells another story behind the two reserved entries and the root directory.
    bytes.fill(0xff, reserved + 12, reserved + length);
    bytes.writeUInt16LE(0x81, 0x28);
    const file = await (await fatFiles(bytesReader(bytes))).find(['Boot', 'BCD']);
    expect(Buffer.from((await file?.readAt(0, store.length)) ?? [])).toEqual(Buffer.from(store));
    bytes.writeUInt16LE(0x82, 0x28);
    await expect(fatFiles(bytesReader(bytes))).rejects.toMatchObject({ code: 'fat-boot-sector' });
  });

  it('ends, damaged or not found, whatever the table and the directories hold', async () => {
    const { path } = makeFat('16', 8 << 20);
    const bytes = readFileSync(path);
    const used = bytes.findLastIndex((byte) => byte !== 0);
    for (let round = 0; round < ROUNDS; round++) {
      const at = Math.floor((round / ROUNDS) * used);
      const changed = Uint8Array.of((bytes[at] ?? 0) ^ (1 << (round % 8)));
      const hostile = patchedReader(bytesReader(bytes), at, changed);
      try {
        const file = await (await fatFiles(hostile)).find(['Boot', 'BCD']);
        if (file !== undefined && file.sizeBytes < bytes.length) await file.readAt(0, file.sizeBytes);
      } catch (error) {
        if (!isFamily(error, 'damaged')) throw error;
      }
    }
  });
});
