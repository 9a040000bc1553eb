// Saving windows: a full partition of 1 GiB at LBA 63 is aligned, on stores where the journal shares blocks and where it cannot.
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onStore, opaqueGuest } from './pack.mjs';

const STORES = [
  ['XFS without reflink: saved in the journal', ['mkfs.xfs', '-q', '-m', 'reflink=0']],
  ['XFS with reflink: shared', ['mkfs.xfs', '-q', '-m', 'reflink=1']],
  ['btrfs: shared', ['mkfs.btrfs', '-q', '-f']],
];
const PLACE = { diskMib: 1100, partMib: 1024, fromSector: 63 };

/** Pieces of the file, behind a flush of its store. */
function extentsOf(file) {
  spawnSync('sync', ['-f', file]);
  const said = execFileSync('filefrag', [file], { encoding: 'utf8' });
  return Number(/: (\d+) extents? found/.exec(said)[1]);
}

export function benchShare({ folder, vmreclaim, row, median, seconds, mib, rounds }) {
  for (const [store, mkfs] of STORES) {
    onStore(folder, mkfs, (point) => {
      const disk = join(point, 'disk.img');
      const times = [];
      let [peak, before, after] = [0, 0, 0];
      for (let round = 0; round < rounds; round++) {
        spawnSync('rm', ['-f', disk]);
        opaqueGuest(disk, PLACE);
        before = Math.max(before, extentsOf(disk));
        // What was just written would be read from memory, which no disk worth a move fits into.
        spawnSync('sync');
        writeFileSync('/proc/sys/vm/drop_caches', '3');
        const run = vmreclaim('align', disk, '-y', '--quiet');
        times.push(run.seconds);
        peak = Math.max(peak, run.kib);
        after = Math.max(after, extentsOf(disk));
      }
      const pieces = `the file in ${after} pieces, ${before} before`;
      row(`align 1 GiB, 63 -> 128, opaque, ${store}`, seconds(median(times)), pieces, 'reported', mib(peak));
    });
  }
}
