import { describe, expect, it } from 'vitest';
import { renderPlan } from '../../src/report/plan-table.js';
import { displayWidth } from '../../src/report/text-width.js';
import { ascii, coloured, HOSTILE, plain, UNSAFE } from './sample.js';
import { alignPlan, extent } from './sample-plan.js';

describe('renderPlan', () => {
  it('shows before and after, the moves in order with their crash safety, costs, fix-ups and warnings', () => {
    const { text, exitCode } = renderPlan(alignPlan(), ascii(200));
    expect(exitCode).toBe(0);
    expect(text.split('\n')).toEqual([
      'align /vms/demo/demo.vmdk (96.0 MiB, monolithicFlat) to 64 KiB',
      '',
      expect.stringMatching(/^before \|1!#+-+\|2!#+-+\|\.+\|$/),
      expect.stringContaining(' 1! ntfs "System" 54.9 MiB at LBA 63   2! ext4'),
      expect.stringMatching(/^after {2}\|1 #+-+\|2 #+-+\|\.+\|$/),
      expect.stringContaining(' 1  ntfs "System" 54.9 MiB at LBA 128   2  ext4'),
      '# used   - free   = use unknown   . unallocated   ! misaligned',
      '',
      '#  fs    label   start LBA         size      aligned',
      '1  ntfs  System  63 -> 128         54.9 MiB  no -> yes',
      '2  ext4  data    112455 -> 112640  31.4 MiB  no -> yes',
      '',
      '1. partition 2 moves right by 185 sectors (92.5 KiB), LBA 112455 to 112640; copies 9.5 MiB (used ranges only), about 0.4 s; direct: restartable without a journal copy',
      '2. partition 1 moves right by 65 sectors (32.5 KiB), LBA 63 to 128; copies 54.9 MiB (all of it), about 1 min 15 s; journaled: each window is saved to the journal first, 16.0 MiB',
      'copies 64.4 MiB in 2 moves, about 1 min 15 s',
      'the disk stays at 96.0 MiB',
      'fix-up: partition 1: Hidden sectors become 128 in both boot sectors. [hidden-sectors]',
      'warning: The BCD is not checked. [boot-files]',
      '  remedy: Have an installation disc at hand.',
      '',
    ]);
  });

  it('says what becomes of the size of the disk', () => {
    const { after } = alignPlan();
    const grown = alignPlan({ after: { ...after, sizeBytes: 101711872 }, savedBytes: -1048576 });
    expect(renderPlan(grown, plain(80)).text).toContain('the disk grows by 1.0 MiB to 97.0 MiB\n');
    const cut = alignPlan({ after: { ...after, sizeBytes: 99614720 }, savedBytes: 1048576 });
    expect(renderPlan(cut, plain(80)).text).toContain('the disk shrinks by 1.0 MiB to 95.0 MiB\n');
  });

  it('says so when there is nothing to do', () => {
    const idle = {
      status: 'nothing-to-do',
      moves: [],
      fixups: [],
      warnings: [],
      after: alignPlan().before,
    } as const;
    expect(renderPlan(alignPlan(idle), plain(80))).toEqual({
      text: 'align /vms/demo/demo.vmdk (96.0 MiB, monolithicFlat) to 64 KiB\n\nnothing to do: every partition to be aligned is\n',
      exitCode: 0,
    });
    expect(renderPlan(alignPlan({ ...idle, command: 'move-extents' }), plain(80)).text).toContain(
      'nothing to do: every extent is where it is wanted\n',
    );
  });

  it('names cylinders, extended containers, and sizes that change', () => {
    const plan = alignPlan();
    const grown = [
      extent({ kind: 'extended', filesystem: null, label: null, sectorCount: 2048, aligned: true }),
      extent({ number: 5, kind: 'logical', filesystem: null, label: null }),
    ];
    const { text } = renderPlan(
      {
        ...plan,
        request: { ...plan.request, cylinders: true },
        before: { ...plan.before, partitions: grown },
        after: {
          ...plan.after,
          partitions: grown.map((each) => ({ ...each, sectorCount: each.sectorCount + 2048 })),
        },
      },
      ascii(80),
    );
    expect(text).toContain('to cylinders\n');
    expect(text).toMatch(/^1 {2}extended +63 +1\.0 MiB -> 2\.0 MiB +-$/m);
    expect(text).toMatch(/^5 {2}unknown +63 +54\.9 MiB -> 55\.9 MiB +no$/m);
  });

  it.each([80, 200])('stays within %d columns and lets nothing hostile through', (width) => {
    const hostile = extent({ label: HOSTILE.repeat(9), filesystem: HOSTILE });
    const plan = alignPlan({
      before: { sizeBytes: 100663296, partitions: [hostile] },
      after: { sizeBytes: 100663296, partitions: [hostile] },
      fixups: [{ kind: HOSTILE, partition: null, message: HOSTILE.repeat(9) }],
      warnings: [{ code: HOSTILE, message: HOSTILE.repeat(9), hint: HOSTILE }],
    });
    const { text } = renderPlan(
      { ...plan, disk: { ...plan.disk, path: `/${HOSTILE}/${'x'.repeat(300)}` } },
      plain(width),
    );
    expect(text).not.toMatch(UNSAFE);
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(width);
    for (const line of renderPlan(alignPlan(), coloured(width)).text.split('\n')) {
      expect(displayWidth(line)).toBeLessThanOrEqual(width);
    }
  });
});
