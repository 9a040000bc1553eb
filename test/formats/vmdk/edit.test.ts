import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toByteString } from '../../../src/codec/lines.js';
import {
  type DescriptorEdit,
  editDescriptor,
  newContentId,
  parseDescriptor,
} from '../../../src/formats/vmdk/index.js';
import { corpus, judge, run } from '../../support/judges.js';
import { bytesOf, descriptorText, ESXI, HOSTED } from './samples.js';

const edit = (text: string, change: DescriptorEdit): string =>
  toByteString(editDescriptor(bytesOf(text), change));

/** The lines that differ, as [before, after] pairs; both must have the same number of lines. */
function changed(before: string, after: string): string[][] {
  const [old, young] = [before.split('\n'), after.split('\n')];
  expect(young).toHaveLength(old.length);
  return old.flatMap((line, index) => (line === young[index] ? [] : [[line, young[index] ?? '']]));
}

describe('editDescriptor', () => {
  it('changes nothing when nothing is asked for', () => {
    expect(edit(ESXI, {})).toBe(ESXI);
  });

  it('changes the CID and the last 8 digits of longContentID, nothing else', () => {
    expect(changed(ESXI, edit(ESXI, { cid: '00ab12cd' }))).toEqual([
      ['CID=0172e8a4', 'CID=00ab12cd'],
      [
        'ddb.longContentID = "c493b057f416b9534001df440172e8a4"',
        'ddb.longContentID = "c493b057f416b9534001df4400ab12cd"',
      ],
    ]);
  });

  it('changes a size: the single extent and the cylinders, by floor', () => {
    expect(changed(HOSTED, edit(HOSTED, { sizeSectors: 20480 - 100 }))).toEqual([
      ['RW 20480 FLAT "x-flat.vmdk" 0', 'RW 20380 FLAT "x-flat.vmdk" 0'],
      ['ddb.geometry.cylinders = "301"', 'ddb.geometry.cylinders = "299"'],
    ]);
  });

  it('counts cylinders as ESXi does', () => {
    const geometry = ESXI.replace('heads = "64"', 'heads = "255"').replace(
      'sectors = "32"',
      'sectors = "63"',
    );
    for (const [sectors, cylinders] of [
      [83886080, 5221],
      [268435456, 16709],
    ] as const) {
      const edited = parseDescriptor(bytesOf(edit(geometry, { sizeSectors: sectors })));
      expect(edited.geometry).toEqual({ cylinders, heads: 255, sectors: 63 });
    }
  });

  it.each([
    [16383, 2 ** 30, 16383],
    [65535, 2 ** 34, 65535],
    [16383, 16383 * 2048 - 1, 16382],
    [16384, 2 ** 30, 2 ** 30 / 2048],
  ])('with %i cylinders before and %i sectors after has %i', (before, sizeSectors, after) => {
    const text = ESXI.replace('cylinders = "2"', `cylinders = "${before}"`);
    expect(parseDescriptor(bytesOf(edit(text, { sizeSectors }))).geometry?.cylinders).toBe(after);
  });

  it('adapts the BIOS geometry by its own heads and sectors', () => {
    const text = descriptorText({ bios: true }).replace('biosCylinders = "65535"', 'biosCylinders = "7"');
    const edited = parseDescriptor(bytesOf(edit(text, { sizeSectors: 255 * 63 * 9 + 5 })));
    expect(edited.biosGeometry).toEqual({ cylinders: 9, heads: 255, sectors: 63 });
  });

  const split = descriptorText({
    createType: 'twoGbMaxExtentFlat',
    extents: ['RW 8192 FLAT "x-f001.vmdk" 0', 'RW 100 FLAT "x-f002.vmdk" 0', 'RW 8192 FLAT "x-f003.vmdk" 0'],
  });

  it('trims and drops extents of a split disk', () => {
    const extents = [
      { index: 1, sectors: 50 },
      { index: 2, sectors: 0 },
    ];
    const edited = parseDescriptor(bytesOf(edit(split, { sizeSectors: 8242, extents })));
    expect(edited.extents.map(({ sectors, fileName }) => [sectors, fileName])).toEqual([
      [8192, 'x-f001.vmdk'],
      [50, 'x-f002.vmdk'],
    ]);
  });

  it.each<[string, DescriptorEdit]>([
    ['extents that do not add up', { sizeSectors: 9000, extents: [{ index: 2, sectors: 1 }] }],
    ['a split disk without extents', { sizeSectors: 9000 }],
    ['an extent that is not there', { extents: [{ index: 3, sectors: 1 }] }],
    ['a CID that is none', { cid: 'FFFF' }],
    ['the CID that means none', { cid: 'ffffffff' }],
  ])('does not write %s', (_, change) => {
    expect(() => edit(split, change)).toThrow(expect.objectContaining({ family: 'internal' }));
  });

  it('drops change tracking: the section, and version 3', () => {
    const tracked = descriptorText({ changeTracking: true });
    expect(edit(tracked, { dropChangeTracking: true })).toBe(descriptorText());
    expect(edit(ESXI, { dropChangeTracking: true })).toBe(ESXI);
  });

  it('keeps every other byte: CRLF, byte order mark, odd spacing, unknown lines, foreign characters, no last newline', () => {
    const odd = `\xef\xbb\xbf${ESXI.trimEnd()}`
      .replaceAll('\n', '\r\n')
      .replace('UTF-8', 'GBK')
      .replace('CID=0172e8a4', '  CID \t=  0172e8a4  ')
      .replace('x-flat', '\xd6\xd0\xb9\xfa #1')
      .replace('#DDB', '#DDB \xff\xfe\r\nddb.unknown.key = "a"b"');
    const edited = edit(odd, { cid: 'aaaaaaaa', sizeSectors: 8192 });
    const expected = odd
      .replaceAll('0172e8a4', 'aaaaaaaa')
      .replace('RW 4096', 'RW 8192')
      .replace('cylinders = "2"', 'cylinders = "4"');
    expect(edited).toBe(expected);
  });

  it('is its own inverse for any size and CID', () => {
    const cids = fc.stringMatching(/^[0-9a-e]{8}$/);
    fc.assert(
      fc.property(cids, fc.integer({ min: 2048, max: 2 ** 37 }), (cid, sizeSectors) => {
        const there = edit(ESXI, { cid, sizeSectors });
        expect(parseDescriptor(bytesOf(there))).toMatchObject({ cid, extents: [{ sectors: sizeSectors }] });
        expect(edit(there, { cid: '0172e8a4', sizeSectors: 4096 })).toBe(ESXI);
      }),
    );
  });
});

describe('newContentId', () => {
  it('is never one that is taken, even when the source of chance insists', () => {
    const always = (id: string) => () => Number.parseInt(id, 16) / 2 ** 32;
    expect(newContentId('12345678', always('ffffffff'))).toBe('00000000');
    expect(newContentId('00000000', always('fffffffe'))).toBe('00000001');
    expect(newContentId('12345678', always('12345678'))).toBe('12345679');
    expect(newContentId('ABCDEF01', always('abcdef01'))).toBe('abcdef02');
  });

  it('has 8 digits for any chance', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (chance) => {
        expect(newContentId('0', () => chance)).toMatch(/^[0-9a-f]{8}$/);
      }),
    );
  });
});

describe.skipIf(!judge('qemu-img'))('qemu-img takes edited descriptors', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vmreclaim-vmdk-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const info = (path: string) =>
    JSON.parse(run('qemu-img', ['info', '--output=json', path])) as {
      'virtual-size': number;
      'format-specific': { data: { cid: number; 'create-type': string } };
    };

  it('monolithicFlat, larger and smaller', () => {
    const path = join(folder, 'mono.vmdk');
    run('qemu-img', ['create', '-q', '-f', 'vmdk', '-o', 'subformat=monolithicFlat', path, '64M']);
    for (const mib of [80, 40]) {
      truncateSync(join(folder, 'mono-flat.vmdk'), mib << 20);
      writeFileSync(path, editDescriptor(readFileSync(path), { cid: '1234abcd', sizeSectors: mib * 2048 }));
      expect(info(path)).toMatchObject({
        'virtual-size': mib << 20,
        'format-specific': { data: { cid: 0x1234abcd, 'create-type': 'monolithicFlat' } },
      });
    }
  });

  it('twoGbMaxExtentFlat, whose last extents are trimmed and dropped', () => {
    const path = join(folder, 'split.vmdk');
    run('qemu-img', ['create', '-q', '-f', 'vmdk', '-o', 'subformat=twoGbMaxExtentFlat', path, '5G']);
    const { extents } = parseDescriptor(readFileSync(path));
    expect(extents).toHaveLength(3);
    const first = extents[0]?.sectors ?? 0;
    const change = {
      sizeSectors: first + 2048,
      extents: [
        { index: 1, sectors: 2048 },
        { index: 2, sectors: 0 },
      ],
    };
    writeFileSync(path, editDescriptor(readFileSync(path), change));
    expect(info(path)['virtual-size']).toBe((first + 2048) * 512);
  });

  const samples = corpus();
  it.skipIf(samples === undefined)('the real ones of the corpus', () => {
    for (const name of ['monolithicFlat', 'twoGbMaxExtentFlat', 'vmfs_thick']) {
      const before = readFileSync(join(samples ?? '', 'vmdk', `${name}.vmdk`));
      const path = join(folder, `${name}.vmdk`);
      writeFileSync(
        path,
        editDescriptor(before, { cid: 'cafe0001', sizeSectors: 65536, dropChangeTracking: true }),
      );
      const extent = parseDescriptor(before).extents[0]?.fileName ?? '';
      writeFileSync(join(folder, extent), '');
      truncateSync(join(folder, extent), 65536 * 512);
      expect(info(path)['virtual-size']).toBe(65536 * 512);
    }
  });
});
