// Disks with one NTFS volume of many small files, resized by the real command; see ntfs-records.mjs.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { makeRecords } from './ntfs-records.mjs';

const MIB = 2 ** 20;
const START = MIB;

/** A disk image; what to shrink the partition to, in MiB. The judges accept the volume, or this throws. */
export function recordsDisk(path, fileCount, folder) {
  const volume = join(folder, 'records.ntfs');
  const { bytes, newBytes } = makeRecords(volume, fileCount);
  judge(volume);
  execFileSync('truncate', ['-s', `${START + bytes + MIB}`, path]);
  execFileSync('sfdisk', ['-q', path], { input: `label: dos\nstart=2048, size=${bytes / 512}, type=7\n` });
  execFileSync('dd', [`if=${volume}`, `of=${path}`, 'bs=1M', 'seek=1', 'conv=sparse,notrunc', 'status=none']);
  rmSync(volume);
  return { sizeMib: Math.ceil(newBytes / MIB) };
}

/** Throws what the judges say about the volume in the partition that begins at 1 MiB. */
export function judgeRecordsDisk(path, folder) {
  const volume = join(folder, 'records.ntfs');
  const table = JSON.parse(execFileSync('sfdisk', ['--json', path], { encoding: 'utf8' })).partitiontable;
  const { start, size } = table.partitions[0];
  execFileSync('dd', [
    ...[`if=${path}`, `of=${volume}`, 'bs=64K', 'iflag=skip_bytes,count_bytes', 'conv=sparse', 'status=none'],
    ...[`skip=${start * 512}`, `count=${size * 512}`],
  ]);
  judge(volume);
  rmSync(volume);
}

function judge(volume) {
  const options = { stdio: ['ignore', 'ignore', 'pipe'] };
  execFileSync('ntfsresize', ['--info', '--force', '--no-progress-bar', volume], options);
  execFileSync('ntfsfix', ['-n', volume], options);
}
