import { describe, expect, it } from 'vitest';
import { deviceError, unsupported } from '../../src/core/errors.js';
import { lba } from '../../src/core/units.js';
import { toJson } from '../../src/report/json.js';
import { reclaimableBytes } from '../../src/report/reclaimable.js';
import { scanDocument } from '../../src/report/scan-json.js';
import { disk, filesystem, HOSTILE, partition, UNSAFE } from './sample.js';

const BOUNDARY = 65536;

describe('scanDocument', () => {
  it('is the JSON of docs/cli.md, key by key and in its order', () => {
    const facts = disk({
      guest: { os: 'windows', name: 'Windows 7 Ultimate', version: '6.1.7601', partition: 1 },
      state: 'refused',
      reasons: [{ code: 'snapshot-chain', message: 'The disk has a snapshot.', hint: 'Consolidate it.' }],
      partitions: [partition()],
    });
    const failed = { path: '/vms/b.vmdk', error: unsupported('sparse-extent', 'The disk is sparse.') };
    const document = scanDocument({ entries: [{ facts }, failed], boundaryBytes: BOUNDARY });
    const expected = {
      formatVersion: 1,
      disks: [
        {
          path: '/vms/demo/demo.vmdk',
          createType: 'monolithicFlat',
          sizeBytes: 100663296,
          allocatedBytes: 20971520,
          sectorSize: 512,
          table: 'mbr',
          vm: { name: 'demo', guestOs: 'winxppro', path: '/vms/demo/demo.vmx' },
          guest: { os: 'windows', name: 'Windows 7 Ultimate', version: '6.1.7601', partition: 1 },
          bootFixups: [],
          state: 'refused',
          reasons: [{ code: 'snapshot-chain', message: 'The disk has a snapshot.' }],
          partitions: [
            {
              number: 1,
              kind: 'primary',
              type: '0x07',
              active: true,
              startLba: 63,
              sectorCount: 112392,
              startBytes: 32256,
              sizeBytes: 57544704,
              alignmentBytes: 512,
              aligned: false,
              filesystem: {
                kind: 'ntfs',
                label: 'System',
                clusterBytes: 4096,
                totalBytes: 57544192,
                usedBytes: 10391552,
                freeBytes: 47152640,
                minimumBytes: 12000256,
                canShrink: false,
                canEnlarge: false,
                state: 'clean',
                reasons: [],
              },
            },
          ],
          reclaimableBytes: 57544704 - 12000256 + (196608 - 112455) * 512,
        },
      ],
      datastores: [],
      totals: {
        disks: 1,
        partitions: 1,
        misaligned: 1,
        sizeBytes: 100663296,
        usedBytes: 10391552,
        reclaimableBytes: 57544704 - 12000256 + (196608 - 112455) * 512,
      },
      errors: [{ path: '/vms/b.vmdk', code: 'sparse-extent', message: 'The disk is sparse.' }],
    };
    // As text, so that the order of keys counts.
    expect(JSON.stringify(document, null, 1)).toBe(JSON.stringify(expected, null, 1));
  });

  it('has null where nothing is known', () => {
    const facts = disk({ allocatedBytes: null, vm: null, partitions: [partition({ filesystem: null })] });
    const [shown] = scanDocument({ entries: [{ facts }], boundaryBytes: BOUNDARY }).disks;
    expect(shown).toMatchObject({ allocatedBytes: null, vm: null, partitions: [{ filesystem: null }] });
  });

  it('judges by the boundary asked for, and never an extended container', () => {
    const at = (number: number, start: number, kind: 'primary' | 'extended') =>
      partition({ number, kind, startLba: lba(start), filesystem: null });
    const facts = disk({
      partitions: [at(1, 128, 'primary'), at(2, 2048, 'primary'), at(3, 63, 'extended')],
    });
    const aligned = (boundaryBytes: number) =>
      scanDocument({ entries: [{ facts }], boundaryBytes }).disks[0]?.partitions.map((each) => each.aligned);
    expect(aligned(65536)).toEqual([true, true, true]);
    expect(aligned(1048576)).toEqual([false, true, true]);
  });

  it('counts sectors of 4 KiB as what they are', () => {
    const facts = disk({ sectorSize: 4096, partitions: [partition({ startLba: lba(16), sectorCount: 10 })] });
    const [shown] = scanDocument({ entries: [{ facts }], boundaryBytes: BOUNDARY }).disks;
    expect(shown?.partitions[0]).toMatchObject({
      startBytes: 65536,
      sizeBytes: 40960,
      alignmentBytes: 65536,
      aligned: true,
    });
  });

  it('sorts by path, or by the largest first', () => {
    const entries = [
      { facts: disk({ path: '/b', sizeBytes: 3, partitions: [] }) },
      { facts: disk({ path: '/a', sizeBytes: 1 }) },
      { facts: disk({ path: '/C', sizeBytes: 2, partitions: [] }) },
      { path: '/z', error: new Error('z') },
      { path: '/y', error: deviceError('read-failed', 'y') },
    ];
    const paths = (sort?: 'path' | 'reclaimable' | 'size') =>
      scanDocument({ entries, boundaryBytes: BOUNDARY, ...(sort === undefined ? {} : { sort }) }).disks.map(
        (each) => each.path,
      );
    expect(paths()).toEqual(['/C', '/a', '/b']);
    expect(paths('path')).toEqual(['/C', '/a', '/b']);
    expect(paths('size')).toEqual(['/b', '/C', '/a']);
    expect(paths('reclaimable')).toEqual(['/a', '/C', '/b']);
    const { errors } = scanDocument({ entries, boundaryBytes: BOUNDARY });
    expect(errors).toEqual([
      { path: '/y', code: 'read-failed', message: 'y' },
      { path: '/z', code: 'internal', message: 'z' },
    ]);
  });
});

describe('reclaimableBytes', () => {
  const tail = (196608 - 112455) * 512;

  it('adds what file systems can spare and what lies behind the last partition', () => {
    expect(reclaimableBytes(disk({ partitions: [partition()] }))).toBe(57544704 - 12000256 + tail);
  });

  it('takes nothing from a file system whose minimum is unknown, or above the partition', () => {
    const of = (minimumBytes: number | null) =>
      reclaimableBytes(disk({ partitions: [partition({ filesystem: filesystem({ minimumBytes }) })] }));
    expect(of(null)).toBe(tail);
    expect(of(2 ** 40)).toBe(tail);
  });

  it('does not count what a GPT needs at the end', () => {
    const facts = disk({
      usable: { first: lba(34), end: lba(112455) },
      partitions: [partition({ filesystem: null })],
    });
    expect(reclaimableBytes(facts)).toBe(0);
  });

  it('measures from the partition that ends last, wherever it stands in the table', () => {
    const last = partition({ number: 1, startLba: lba(112455), sectorCount: 84153, filesystem: null });
    const first = partition({ number: 2, filesystem: null });
    expect(reclaimableBytes(disk({ partitions: [last, first] }))).toBe(0);
  });

  it.each([
    ['damaged', disk({ state: 'damaged' })],
    ['in the middle of a run', disk({ state: 'interrupted' })],
    ['without a partition table', disk({ table: 'none' })],
    ['without partitions', disk({ partitions: [] })],
  ])('promises nothing of a disk %s', (_, facts) => {
    expect(reclaimableBytes(facts)).toBe(0);
  });
});

describe('toJson', () => {
  it('escapes what would act on a terminal, and loses nothing', () => {
    const facts = disk({ partitions: [partition({ filesystem: filesystem({ label: HOSTILE }) })] });
    const document = scanDocument({ entries: [{ facts }], boundaryBytes: BOUNDARY });
    const text = toJson(document);
    expect(text).not.toMatch(UNSAFE);
    expect(JSON.parse(text)).toEqual(document);
    expect(JSON.parse(text).disks[0].partitions[0].filesystem.label).toBe(HOSTILE);
    expect(text.endsWith('}\n')).toBe(true);
  });

  it('keeps the letters of every language', () => {
    expect(toJson({ label: 'Büro 数据 данные' })).toContain('Büro 数据 данные');
  });
});
