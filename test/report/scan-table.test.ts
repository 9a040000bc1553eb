import { describe, expect, it } from 'vitest';
import { damaged, unsupported } from '../../src/core/errors.js';
import { lba } from '../../src/core/units.js';
import type { ScanInput } from '../../src/report/scan-json.js';
import { renderScanTable } from '../../src/report/scan-table.js';
import { displayWidth } from '../../src/report/text-width.js';
import { ascii, coloured, disk, filesystem, HOSTILE, partition, plain, UNSAFE } from './sample.js';

const ESC = String.fromCharCode(0x1b);
const input = (...entries: ScanInput['entries'][number][]): ScanInput => ({ entries, boundaryBytes: 65536 });

const refusedDisk = disk({
  path: '/vms/web/web.vmdk',
  state: 'refused',
  reasons: [{ code: 'snapshot-chain', message: 'The disk has a snapshot.', hint: 'Consolidate it.' }],
  warnings: [{ code: 'change-tracking', message: 'Change tracking is on.' }],
  partitions: [
    partition({
      filesystem: filesystem({
        state: 'dirty',
        reasons: [{ code: 'ntfs-dirty', message: 'The volume is dirty.', hint: 'Run chkdsk in the guest.' }],
      }),
    }),
    partition({ number: 2, kind: 'extended', typeName: 'Extended', startLba: lba(112455), filesystem: null }),
    partition({ number: 5, kind: 'logical', startLba: lba(114688), sectorCount: 2048, filesystem: null }),
  ],
});

describe('renderScanTable', () => {
  it('shows a disk as heading, map, partitions and what it can give back, and totals', () => {
    const { text, exitCode } = renderScanTable(input({ facts: disk() }), ascii(120));
    expect(exitCode).toBe(0);
    expect(text.split('\n')).toEqual([
      '/vms/demo/demo.vmdk',
      '96.0 MiB (20.0 MiB allocated), MBR, monolithicFlat, VM demo, ready',
      expect.stringMatching(/^\|1!#+-+\|2!#+-+\|\.+\|$/),
      ' 1! ntfs "System" 54.9 MiB at LBA 63   2! ext4 "data" 31.4 MiB at LBA 112455   unallocated 9.7 MiB',
      '#  type                     fs    label   start LBA      size     used  free  aligned',
      '1  NTFS/exFAT/HPFS, active  ntfs  System         63  54.9 MiB  9.9 MiB  82 %  no, 512 B',
      '2  Linux                    ext4  data       112455  31.4 MiB  9.5 MiB  70 %  no, 512 B',
      'can give back up to 53.1 MiB',
      '',
      '# used   - free   = use unknown   . unallocated   ! misaligned',
      '',
      '1 disk, 2 partitions, 2 misaligned to 64 KiB, 96.0 MiB, 19.4 MiB used, up to 53.1 MiB to reclaim',
      '',
    ]);
  });

  it('gives every reason with its remedy, for disks, file systems and failures', () => {
    const failed = {
      path: '/vms/s.vmdk',
      error: unsupported('sparse', 'The disk is sparse.', { hint: 'Convert it.' }),
    };
    const { text, exitCode } = renderScanTable(input({ facts: refusedDisk }, failed), plain(80));
    expect(exitCode).toBe(4);
    expect(text).toContain('refused: The disk has a snapshot. [snapshot-chain]\n  remedy: Consolidate it.\n');
    expect(text).toContain(
      'partition 1: The volume is dirty. [ntfs-dirty]\n  remedy: Run chkdsk in the guest.\n',
    );
    expect(text).toContain('warning: Change tracking is on. [change-tracking]\n');
    expect(text).toContain('error /vms/s.vmdk: The disk is sparse. [sparse]\n  remedy: Convert it.\n');
    expect(text).toContain('ntfs, dirty');
    expect(text).toMatch(/^2 {2}Ext.* -$/m);
    expect(text).toMatch(/^5 {2}NTFS.*yes, 8 MiB$/m);
  });

  it('has a line per disk when there are more than three, below their folder', () => {
    const many = ['c', 'a', 'd', 'b'].map((name) => ({ facts: disk({ path: `/vms/${name}/${name}.vmdk` }) }));
    const damagedDisk = disk({
      path: '/vms/e.vmdk',
      partitions: [],
      state: 'damaged',
      reasons: [{ code: 'mbr', message: '' }],
    });
    const { text, exitCode } = renderScanTable(input(...many, { facts: damagedDisk }), plain(80));
    expect(exitCode).toBe(5);
    expect(text.split('\n')).toEqual([
      'in /vms/',
      'disk          size  misaligned      used   reclaim  state',
      'a/a.vmdk  96.0 MiB      2 of 2  19.4 MiB  53.1 MiB  ready',
      'b/b.vmdk  96.0 MiB      2 of 2  19.4 MiB  53.1 MiB  ready',
      'c/c.vmdk  96.0 MiB      2 of 2  19.4 MiB  53.1 MiB  ready',
      'd/d.vmdk  96.0 MiB      2 of 2  19.4 MiB  53.1 MiB  ready',
      'e.vmdk    96.0 MiB      0 of 0       0 B       0 B  damaged (mbr)',
      '',
      '5 disks, 8 partitions, 8 misaligned to 64 KiB, 480.0 MiB, 77.6 MiB used, up to',
      '  212.6 MiB to reclaim',
      '',
    ]);
    expect(renderScanTable(input(...many), { ...plain(80), details: true }).text).toContain(
      '/vms/a/a.vmdk\n',
    );
  });

  it('says with --check what was found, and exits 3', () => {
    const found = renderScanTable(input({ facts: disk() }), { ...plain(80), check: true });
    expect(found.text).toContain('check: 2 misaligned partitions, 0 disks with 64 MiB or more to reclaim\n');
    expect(found.exitCode).toBe(3);
    const clean = disk({
      partitions: [partition({ startLba: lba(128), sectorCount: 196480, filesystem: null })],
    });
    const nothing = renderScanTable(input({ facts: clean }), { ...plain(80), check: true });
    expect(nothing.text).toContain('check: nothing found\n');
    expect(nothing.exitCode).toBe(0);
  });

  it('says so when there is no partition, and when there is no disk', () => {
    const empty = disk({ table: 'none', partitions: [], allocatedBytes: null, vm: null });
    expect(renderScanTable(input({ facts: empty }), plain(80)).text).toContain(
      '96.0 MiB, no partition table, monolithicFlat, ready\nno partitions\n',
    );
    expect(renderScanTable(input(), plain(80)).text).toMatch(/^0 disks, 0 partitions/);
  });

  it.each([80, 200])('stays within %d columns and lets nothing hostile through', (width) => {
    const long = `/vms/${'very-long-folder-name/'.repeat(12)}`;
    const hostile = disk({
      path: `${long}${HOSTILE}.vmdk`,
      createType: HOSTILE,
      vm: { name: `${HOSTILE}数据`.repeat(20), guestOs: HOSTILE, path: HOSTILE, otherDisks: [HOSTILE] },
      state: 'refused',
      reasons: [{ code: HOSTILE, message: HOSTILE.repeat(9), hint: HOSTILE.repeat(9) }],
      warnings: [{ code: HOSTILE, message: HOSTILE }],
      partitions: [
        partition({
          number: 128,
          typeName: HOSTILE,
          startLba: lba(2 ** 46),
          sectorCount: 2 ** 40,
          filesystem: filesystem({
            label: `${HOSTILE}数据👍🏽`.repeat(9),
            kind: HOSTILE,
            state: 'needs-recovery',
          }),
        }),
      ],
    });
    const failed = { path: `${long}${HOSTILE}`, error: damaged(HOSTILE, HOSTILE, { hint: HOSTILE }) };
    const one = input({ facts: hostile }, failed);
    const many = input(...Array.from({ length: 4 }, () => ({ facts: hostile })), failed);
    for (const scan of [one, many]) {
      const { text } = renderScanTable(scan, plain(width));
      expect(text).not.toMatch(UNSAFE);
      expect(text).not.toContain(ESC);
      for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
      const inAscii = renderScanTable(scan, ascii(width)).text;
      expect(inAscii).toMatch(/^[\n -~]*$/);
      const inColour = renderScanTable(scan, coloured(width)).text;
      expect(inColour.replaceAll(new RegExp(`${ESC}\\[\\d+m`, 'g'), '')).toBe(text);
    }
  });
});
