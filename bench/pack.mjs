// Packing: an aligned partition of 2 GiB moves 1023 MiB to the left, on stores of their own, beside sfdisk on the same store.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { guestWithNtfs, writeDescriptor } from './images.mjs';

const DISK_MIB = 3080;
const PART_MIB = 2048;
const FROM_MIB = 1024;
const [FROM, TO] = [FROM_MIB * 2048, 2048];
const STORES = [
  ['XFS with reflink', ['mkfs.xfs', '-q', '-m', 'reflink=1']],
  ['ext4', ['mke2fs', '-q', '-F', '-t', 'ext4']],
];

const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', ...options });

const PLACE = { diskMib: DISK_MIB, partMib: PART_MIB, fromSector: FROM };

/** A partition full of noise that nobody knows. */
export function opaqueGuest(path, { diskMib, partMib, fromSector } = PLACE) {
  run('truncate', ['-s', `${diskMib}M`, path]);
  run('sfdisk', ['-q', path], {
    input: `label: dos\nstart=${fromSector}, size=${partMib * 2048}, type=da\n`,
  });
  run('dd', [
    'if=/dev/urandom',
    `of=${path}`,
    'bs=1M',
    'oflag=seek_bytes',
    `seek=${fromSector * 512}`,
    `count=${partMib}`,
    'conv=notrunc',
    'status=none',
  ]);
}

/** Seconds from the beginning of the rehearsal until the table is written, by the progress events: all but start and end of the process. */
function changingSeconds(stderr) {
  const events = stderr.split('\n').filter((line) => line.startsWith('{"event":"progress"'));
  const at = (name) => events.map((line) => JSON.parse(line)).find(({ why }) => why === name)?.seconds;
  return at('master boot record') - at('rehearsing');
}

/** A new file system in a loop file, mounted while `work` uses it. */
export function onStore(folder, [command, ...options], work) {
  const point = join(folder, 'store');
  run('truncate', ['-s', '8G', `${point}.img`]);
  run(command, [...options, `${point}.img`]);
  mkdirSync(point);
  run('mount', ['-o', 'loop', `${point}.img`, point]);
  try {
    work(point);
  } finally {
    run('umount', [point]);
    rmSync(`${point}.img`);
    rmSync(point, { recursive: true });
  }
}

export function benchPack({ folder, vmreclaim, measure, row, median, seconds, mib, rounds }) {
  const guests = [
    ['full, opaque', opaqueGuest],
    [
      'NTFS, 30 % used',
      (path) => guestWithNtfs(path, { sizeMib: DISK_MIB, usedMib: 640, start: FROM, folder }),
    ],
  ];
  for (const [what, make] of guests) {
    const original = join(folder, 'pack.img');
    make(original);
    for (const [store, mkfs] of STORES) {
      onStore(folder, mkfs, (point) => {
        const [disk, flat] = [join(point, 'disk.vmdk'), join(point, 'disk-flat.vmdk')];
        const fresh = () => {
          spawnSync('cp', ['--sparse=always', original, flat]);
          writeDescriptor(disk, 'disk-flat.vmdk', DISK_MIB);
          spawnSync('sync');
        };
        const times = { ours: [], changing: [], peer: [] };
        let peak = 0;
        for (let round = 0; round < rounds; round++) {
          fresh();
          const ours = vmreclaim('move-extents', disk, '--to', `1=${TO}`, '-y', '--progress', 'json');
          times.ours.push(ours.seconds);
          times.changing.push(changingSeconds(ours.stderr));
          peak = Math.max(peak, ours.kib);
          fresh();
          const args = ['-q', '--no-reread', '--move-data', '-N1', flat];
          times.peer.push(measure('sfdisk', args, { input: `${TO},\n` }).seconds);
        }
        const [ours, theirs] = [median(times.ours), median(times.peer)];
        const beside = `${seconds(theirs)} sfdisk --move-data; ${(theirs / ours).toFixed(1)} times faster`;
        row(`pack 2 GiB to the left, ${what}, ${store}`, seconds(ours), beside, '20 times', mib(peak));
        row('  of which rehearsal, journal, move', seconds(median(times.changing)), '-', 'reported', '');
      });
    }
    rmSync(original);
  }
}
