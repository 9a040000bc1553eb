import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { beforeAfter, diskMap, mapKey, mapOfDocument, mapOfLayout } from '../../src/report/disk-map.js';
import type { MapDisk, MapPartition } from '../../src/report/map-segments.js';
import { diskDocument } from '../../src/report/scan-json.js';
import { displayWidth } from '../../src/report/text-width.js';
import { ascii, coloured, disk, filesystem, HOSTILE, partition, plain, UNSAFE } from './sample.js';
import { alignPlan } from './sample-plan.js';

const ESC = String.fromCharCode(0x1b);
const demo = mapOfDocument(diskDocument(disk(), 65536));

function box(
  number: number,
  startBytes: number,
  sizeBytes: number,
  change: Partial<MapPartition> = {},
): MapPartition {
  return {
    number,
    container: false,
    startLba: startBytes / 512,
    startBytes,
    sizeBytes,
    filesystem: 'ext4',
    label: null,
    usedBytes: null,
    aligned: true,
    ...change,
  };
}

const bar = (map: string) => map.split('\n')[0] ?? '';

describe('diskMap', () => {
  it('draws used, free and unallocated space in proportion, with a mark for what is misaligned', () => {
    expect(diskMap(demo, ascii(80)).split('\n')).toEqual([
      '|1!########----------------------------------|2!#######----------------|.......|',
      ' 1! ntfs "System" 54.9 MiB at LBA 63   2! ext4 "data" 31.4 MiB at LBA 112455',
      ' unallocated 9.7 MiB',
    ]);
  });

  it('draws the same with other glyphs where the console knows them', () => {
    const [asciiBar, unicodeBar] = [bar(diskMap(demo, ascii(80))), bar(diskMap(demo, plain(80)))];
    const glyphs: Record<string, string> = { '|': '│', '#': '█', '-': '░', '.': '·' };
    expect(unicodeBar).toBe(asciiBar.replace(/[|#.-]/g, (glyph) => glyphs[glyph] ?? ''));
  });

  it('says aligned and misaligned in green and red, and without colour in the same places', () => {
    const two = { sizeBytes: 1000, partitions: [box(1, 0, 500), box(2, 500, 500, { aligned: false })] };
    const map = diskMap(two, coloured(40));
    expect(bar(map)).toContain(`${ESC}[32m1 `);
    expect(bar(map)).toContain(`${ESC}[31m2!`);
    expect(map.replaceAll(new RegExp(`${ESC}\\[\\d+m`, 'g'), '')).toBe(diskMap(two, plain(40)));
    expect(diskMap(two, plain(40))).not.toContain(ESC);
  });

  it('tells a partition whose use nobody knows from a free one', () => {
    expect(bar(diskMap({ sizeBytes: 100, partitions: [box(1, 0, 100)] }, ascii(16)))).toBe(
      '|1 ============|',
    );
    expect(bar(diskMap({ sizeBytes: 100, partitions: [box(1, 0, 100, { usedBytes: 0 })] }, ascii(16)))).toBe(
      '|1 ------------|',
    );
  });

  it('shows the slightest use and the slightest room as one cell', () => {
    const used = (usedBytes: number) =>
      bar(diskMap({ sizeBytes: 1000, partitions: [box(1, 0, 1000, { usedBytes })] }, ascii(16)));
    expect(used(1)).toBe('|1 #-----------|');
    expect(used(999)).toBe('|1 ###########-|');
    expect(used(1000)).toBe('|1 ############|');
  });

  it('draws tiny partitions large enough to be seen', () => {
    const tiny = {
      sizeBytes: 2 ** 40,
      partitions: [box(1, 2 ** 20, 2 ** 20), box(2, 2 ** 21, 2 ** 40 - 2 ** 21)],
    };
    expect(bar(diskMap(tiny, ascii(40)))).toBe(`|1 =|2 ${'='.repeat(32)}|`);
  });

  it('draws what an extended partition holds, not the container', () => {
    const logical = { sizeBytes: 1000, partitions: [box(2, 0, 1000, { container: true }), box(5, 500, 500)] };
    expect(bar(diskMap(logical, ascii(21)))).toBe('|.........|5 =======|');
    expect(diskMap(logical, ascii(21))).not.toContain('2 ');
  });

  it('joins partitions that cannot be told apart, and keeps their mark', () => {
    const partitions = Array.from({ length: 128 }, (_, index) =>
      box(index + 1, index * 1000, 1000, { aligned: index !== 77 }),
    );
    const map = bar(diskMap({ sizeBytes: 128000, partitions }, ascii(80)));
    expect(map).toMatch(/^\|\+128! *\|$/);
    expect(map).toHaveLength(80);
  });

  it('cleans labels', () => {
    const facts = disk({
      partitions: [partition({ filesystem: filesystem({ label: HOSTILE, kind: HOSTILE }) })],
    });
    const hostile = mapOfDocument(diskDocument(facts, 65536));
    for (const options of [plain(80), ascii(200)]) expect(diskMap(hostile, options)).not.toMatch(UNSAFE);
  });

  it('is as wide as it may be and never wider, whatever a disk claims', () => {
    const amount = fc.oneof(fc.nat(5000), fc.integer({ min: 0, max: 2 ** 46 }));
    const any = fc.record({
      number: fc.nat(200),
      container: fc.boolean(),
      startLba: amount,
      startBytes: amount,
      sizeBytes: amount,
      filesystem: fc.option(fc.string()),
      label: fc.option(fc.string({ unit: 'grapheme' })),
      usedBytes: fc.option(amount),
      aligned: fc.boolean(),
    });
    const disks: fc.Arbitrary<MapDisk> = fc.record({
      sizeBytes: amount,
      partitions: fc.array(any, { maxLength: 40 }),
    });
    fc.assert(
      fc.property(disks, fc.constantFrom(40, 80, 200), fc.boolean(), (shown, width, color) => {
        const lines = diskMap(shown, { width, color, unicode: true }).split('\n');
        expect(displayWidth(lines[0] ?? '')).toBe(width);
        for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }),
    );
  });
});

describe('beforeAfter', () => {
  const { before, after } = alignPlan();

  it('shows both on one scale', () => {
    const lines = beforeAfter(mapOfLayout(before, 512), mapOfLayout(after, 512), ascii(80)).split('\n');
    expect(lines).toEqual([
      'before |1!#######-------------------------------|2!######---------------|......|',
      '        1! ntfs "System" 54.9 MiB at LBA 63',
      '        2! ext4 "data" 31.4 MiB at LBA 112455   unallocated 9.7 MiB',
      'after  |1 #######-------------------------------|2 ######---------------|......|',
      '        1  ntfs "System" 54.9 MiB at LBA 128',
      '        2  ext4 "data" 31.4 MiB at LBA 112640   unallocated 9.6 MiB',
    ]);
  });

  it('draws the smaller disk shorter', () => {
    const small = { sizeBytes: 500, partitions: [box(1, 0, 500)] };
    const large = { sizeBytes: 1000, partitions: [box(1, 0, 500)] };
    const lines = beforeAfter(large, small, ascii(87)).split('\n');
    expect(lines[0]).toHaveLength(87);
    expect(lines[2]).toHaveLength(7 + 40);
  });
});

describe('mapKey', () => {
  it('explains every glyph', () => {
    expect(mapKey(ascii(80))).toBe('# used   - free   = use unknown   . unallocated   ! misaligned');
    expect(mapKey(plain(80))).toBe('█ used   ░ free   ▒ use unknown   · unallocated   ! misaligned');
  });
});
