import { describe, expect, it } from 'vitest';
import { ntfs } from '../../../src/formats/ntfs/index.js';
import { openVolume } from '../../../src/formats/ntfs/volume.js';
import type { FilesystemFacts } from '../../../src/formats/types.js';
import {
  concat,
  encodePairs,
  listEntry,
  nonResident,
  record,
  resident,
  stamp,
  TINY,
  tinyVolume,
} from './tiny-volume.js';
import { codeOf, VolumeBytes } from './volumes.js';

const inspect = (bytes: Uint8Array): Promise<FilesystemFacts> => ntfs.inspect(new VolumeBytes(bytes));
const check = (bytes: Uint8Array): Promise<string> =>
  codeOf(ntfs.check?.(new VolumeBytes(bytes)) ?? Promise.resolve());

/** Position of a record of the tiny volume's first piece of $MFT. */
const recordAt = (number: number): number => TINY.mft.lcn * TINY.clusterBytes + number * TINY.recordBytes;

function withRecord(number: number, attributes: readonly Uint8Array[], base?: number): Uint8Array {
  const volume = tinyVolume();
  volume.set(record({ number, attributes, ...(base === undefined ? {} : { base }) }), recordAt(number));
  return volume;
}

function patched(at: number, ...values: number[]): Uint8Array {
  const volume = tinyVolume();
  volume.set(values, at);
  return volume;
}

describe('facts', () => {
  it('of a small volume', async () => {
    expect(await inspect(tinyVolume())).toEqual({
      kind: 'ntfs',
      label: 'Tiny',
      serial: '0123456789ABCDEF',
      clusterBytes: 4096,
      totalBytes: 1 << 20,
      usedBytes: 26 * 4096,
      freeBytes: (256 - 26) * 4096,
      minimumBytes: 1 << 20,
      state: 'clean',
      reasons: [],
      move: { blockers: [], copies: 'used', toleratesLargerPartition: true },
    });
  });

  it.each([
    [0x0001, 'dirty'],
    [0x0010, 'dirty'],
    [0x4000, 'dirty'],
    [0x0080, 'clean'],
    [0x8000, 'clean'],
  ])('volume flags 0x%s: %s', async (flags, state) => {
    const facts = await inspect(tinyVolume({ flags }));
    expect(facts.state).toBe(state);
    expect(facts.reasons.map(({ code }) => code)).toEqual(state === 'clean' ? [] : ['ntfs-dirty']);
    expect(facts.move.blockers).toEqual(facts.reasons);
  });

  it('a version of NTFS that is not known', async () => {
    const information = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0);
    const facts = await inspect(withRecord(3, [resident(0x70, '', information)]));
    expect(facts).toMatchObject({ label: null, state: 'unknown', reasons: [{ code: 'ntfs-version' }] });
  });

  it('shadow copies', async () => {
    const header = Buffer.from(
      '6b870838 76c1 484e b7ae 04046e6cc752 01000000 01000000'.replaceAll(' ', ''),
      'hex',
    );
    const volume = patched(0x1e00, ...header);
    expect((await openVolume(new VolumeBytes(volume))).hasShadowCopies).toBe(false);
    volume[0x1e00 + 0x32] = 1;
    expect((await openVolume(new VolumeBytes(volume))).hasShadowCopies).toBe(true);
  });

  it('a label of odd size or with half a pair is text, not an exception', async () => {
    const facts = await inspect(
      withRecord(3, [
        resident(0x60, '', Uint8Array.of(0x41, 0, 0, 0xd8, 9)),
        resident(0x70, '', Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0)),
      ]),
    );
    expect(facts.label).toMatch(/^A/);
  });
});

interface Page {
  readonly major?: number;
  readonly flags?: number;
  readonly clients?: number;
  readonly lsn?: number;
  readonly magic?: string;
}

function page({ major = 1, flags = 0, clients = 0, lsn = 1, magic = 'RSTR' }: Page): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  bytes.set(Buffer.from(magic));
  view.setUint16(4, 0x1e, true);
  view.setUint16(6, 9, true);
  view.setUint32(0x10, 4096, true);
  view.setUint32(0x14, 4096, true);
  view.setUint16(0x18, 0x30, true);
  view.setUint16(0x1a, 1, true);
  view.setUint16(0x1c, major, true);
  view.setBigUint64(0x30, BigInt(lsn), true);
  view.setUint16(0x3c, clients, true);
  view.setUint16(0x3e, flags, true);
  return stamp(bytes, 0x1e);
}

describe('$LogFile', () => {
  const empty = new Uint8Array(4096);
  const torn = page({ flags: 2 });
  torn[1023] = 0x55;

  it.each<[string, Uint8Array, Uint8Array, string]>([
    ['flag for clean, clients listed', page({ flags: 2 }), page({ flags: 2 }), 'clean'],
    ['flags of Windows XP', page({ flags: 3 }), empty, 'clean'],
    ['no clients', page({ clients: 0xffff }), empty, 'clean'],
    ['clients and no flag', page({}), empty, 'needs-recovery'],
    ['the newer page is clean', page({ lsn: 5 }), page({ lsn: 6, flags: 2 }), 'clean'],
    ['the newer page is not clean', page({ lsn: 7, flags: 2 }), page({ lsn: 8 }), 'needs-recovery'],
    ['the first page is torn', torn, page({ flags: 2 }), 'clean'],
    ['both pages are torn', torn, torn, 'needs-recovery'],
    ['changed by chkdsk', page({ magic: 'CHKD', flags: 2 }), empty, 'clean'],
    ['version 2.0', page({ major: 2 }), empty, 'needs-recovery'],
    ['version 2.0 without clients', page({ major: 2, clients: 0xffff }), empty, 'needs-recovery'],
    ['version 2.0, flag for clean', page({ major: 2, flags: 2 }), empty, 'clean'],
    ['an empty page in front of one that is not clean', empty.slice().fill(0xff), page({}), 'needs-recovery'],
    ['zeros', empty, empty, 'needs-recovery'],
  ])('%s', async (_, first, second, state) => {
    const log = concat(first, second, new Uint8Array(8192));
    const facts = await inspect(tinyVolume({ log }));
    expect(facts.state).toBe(state);
    expect(facts.reasons.map(({ code }) => code)).toEqual(state === 'clean' ? [] : ['ntfs-log-unclean']);
    for (const reason of facts.reasons) expect(reason.hint).toContain('shutdown /s /f /t 0');
  });
});

describe('$MFT with an attribute list', () => {
  it('is read to its end', async () => {
    const bytes = tinyVolume({ mftList: true });
    const volume = await openVolume(new VolumeBytes(bytes));
    expect(volume.recordCount).toBe(64);
    expect((await volume.readRecord(56)).inUse).toBe(true);
    expect(await check(bytes)).toBe('none');
  });

  it('that leads through itself is damage', async () => {
    const bytes = tinyVolume({ mftList: true });
    // The extension record's number becomes 40, which only that record could locate.
    const at = bytes.findIndex(
      (_, index) => index > recordAt(0) && bytes[index] === 15 && bytes[index + 6] === 1,
    );
    expect(at).toBeLessThan(recordAt(1));
    bytes[at] = 40;
    expect(await codeOf(openVolume(new VolumeBytes(bytes)))).toMatch(/^ntfs-/);
  });
});

describe('the deep check', () => {
  it('passes a whole volume', async () => {
    expect(await check(tinyVolume())).toBe('none');
  });

  it('finds a cluster that a file owns and $Bitmap gives away', async () => {
    for (const lcn of [TINY.file.lcn, TINY.file.lcn + TINY.file.length - 1, TINY.log.lcn, TINY.mft.lcn]) {
      const volume = tinyVolume();
      const at = TINY.bitmap.lcn * TINY.clusterBytes + (lcn >> 3);
      volume[at] = (volume[at] ?? 0) & ~(1 << (lcn & 7));
      expect(await check(volume)).toBe('ntfs-bitmap-mismatch');
    }
  });

  it('finds a torn record in use, and leaves a free one alone', async () => {
    expect(await check(patched(recordAt(24) + 510, 0x99, 0x99))).toBe('ntfs-fixup');
    expect(await check(patched(recordAt(24) + 1022, 0x99, 0x99))).toBe('ntfs-fixup');
    expect(await check(patched(recordAt(24), 0x42, 0x41, 0x41, 0x44))).toBe('ntfs-record');
    expect(await check(patched(recordAt(26), 0x42, 0x41, 0x41, 0x44))).toBe('none');
    const deleted = record({ number: 27, attributes: [], flags: 0 });
    deleted[510] = 0x99;
    expect(await check(patched(recordAt(27), ...deleted))).toBe('none');
  });

  it('finds a record in use that the bitmap of $MFT gives away', async () => {
    const volume = tinyVolume();
    volume.set(record({ number: 28, attributes: [] }), recordAt(28));
    expect(await check(volume)).toBe('ntfs-mft-bitmap');
  });

  it('finds a stale $MFTMirr', async () => {
    const mirror = TINY.mirror.lcn * TINY.clusterBytes;
    const volume = tinyVolume();
    const at = volume.indexOf('T'.charCodeAt(0), mirror + 3 * 1024);
    volume[at] = 'U'.charCodeAt(0);
    expect(await check(volume)).toBe('ntfs-mirror');
    expect(await check(patched(mirror, 0, 0, 0, 0))).toBe('ntfs-mirror');
  });

  it('finds files that own more than there is', async () => {
    const pairs = encodePairs(Array.from({ length: 30 }, () => TINY.file));
    const greedy = nonResident(0x80, '', pairs, { dataSize: 300 * 4096, highestVcn: 299 });
    expect(await check(withRecord(24, [greedy]))).toBe('ntfs-owned-twice');
  });

  it('finds runs that do not add up', async () => {
    const short = nonResident(0x80, '', encodePairs([TINY.file]), { dataSize: 4096, highestVcn: 12 });
    expect(await check(withRecord(24, [short]))).toBe('ntfs-runlist');
    const notFilledIn = nonResident(0x80, '', encodePairs([TINY.file]), { dataSize: 4096, highestVcn: 0 });
    expect(await check(withRecord(24, [notFilledIn]))).toBe('none');
  });

  it.each([
    ['names a free record', listEntry(0x80, 0, 26, 0), 'ntfs-record'],
    ['names a record of another file', listEntry(0x80, 0, 25, 0), 'ntfs-attribute-list'],
    ['names a record behind the end', listEntry(0x80, 0, 4000, 0), 'ntfs-record'],
    ['names a piece that is not there', listEntry(0x80, 0, 24, 5), 'ntfs-attribute-list'],
    ['names a later piece first', listEntry(0x80, 3, 24, 1), 'ntfs-attribute-list'],
    ['is cut off', Uint8Array.of(0x80, 0, 0, 0, 32, 0), 'ntfs-attribute-list'],
    ['is right', listEntry(0x80, 0, 24, 1), 'none'],
  ])('an attribute list that %s', async (_, list, code) => {
    const data = nonResident(0x80, '', encodePairs([TINY.file]), { dataSize: 4096, instance: 1 });
    expect(await check(withRecord(24, [resident(0x20, '', list, 7), data]))).toBe(code);
  });

  it('finds a root directory without an index', async () => {
    expect(await check(withRecord(5, []))).toBe('ntfs-record');
  });
});
