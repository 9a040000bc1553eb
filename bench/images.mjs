// Images for the benchmarks. Loop devices and ntfs-3g mounts: needs root.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const run = (command, args, options = {}) => execFileSync(command, args, { encoding: 'utf8', ...options });

/** Makes NTFS with these hidden sectors. */
const ntfsAt = (start) => (loop) => {
  run('mkntfs', ['-q', '-f', '-F', '-p', `${start}`, loop], { stdio: 'ignore' });
  return ['ntfs-3g', [loop]];
};

/**
 * A flat disk with one NTFS partition, at LBA 63 unless told, filled with files of mixed sizes and thinned out again.
 * `fillerMib`: so much is in the way while they are written, and free afterwards, so that they lie far behind.
 */
export function guestWithNtfs(path, { sizeMib, usedMib, folder, start = 63, fillerMib = 0 }) {
  const filler = { source: '/dev/zero', mib: fillerMib };
  guestWith(ntfsAt(start), path, { sizeMib, usedMib, folder, start, type: '7', filler });
}

/** One NTFS partition at 1 MiB, with noise in what is free. */
export function noisyNtfs(path, { sizeMib, usedMib, noiseMib, folder }) {
  const filler = { source: '/dev/urandom', mib: noiseMib };
  guestWith(ntfsAt(2048), path, { sizeMib, usedMib, folder, start: 2048, type: '7', filler });
}

/** The same with ext4. */
export function noisyExt4(path, { sizeMib, usedMib, noiseMib, folder }) {
  const mkfs = (loop) => {
    run('mke2fs', ['-q', '-F', '-t', 'ext4', loop]);
    return ['mount', [loop]];
  };
  const filler = { source: '/dev/urandom', mib: noiseMib };
  guestWith(mkfs, path, { sizeMib, usedMib, folder, start: 2048, type: '83', filler });
}

/** A flat disk with one partition; `mkfs` makes the file system and says how it is mounted. */
function guestWith(mkfs, path, { sizeMib, usedMib, folder, start, type, filler }) {
  const sectors = (sizeMib - 8) * 2048 - start;
  run('truncate', ['-s', `${sizeMib}M`, path]);
  run('sfdisk', ['-q', path], {
    input: `label: dos\nstart=${start}, size=${sectors}, type=${type}, bootable\n`,
  });
  const loop = run('losetup', [
    '-f',
    '--show',
    '-o',
    `${start * 512}`,
    '--sizelimit',
    `${sectors * 512}`,
    path,
  ]).trim();
  const mount = join(folder, 'mount');
  mkdirSync(mount, { recursive: true });
  try {
    const [command, args] = mkfs(loop);
    run(command, [...args, mount]);
    const file = join(mount, 'filler');
    run('dd', [`if=${filler.source}`, `of=${file}`, 'bs=1M', `count=${filler.mib}`, 'status=none']);
    fillWithFiles(mount, usedMib);
    rmSync(file);
    run('umount', [mount]);
  } finally {
    run('losetup', ['-d', loop]);
    rmdirSync(mount);
  }
}

/** Every fifth file goes again, so that the free space is scattered. */
function fillWithFiles(mount, usedMib) {
  const sizes = [4_096, 30_000, 200_000, 1_000_000, 8_000_000, 30_000_000];
  const noise = Buffer.allocUnsafe(30_000_000);
  let state = 1;
  for (let i = 0; i < noise.length; i += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    noise.writeUInt32LE(state, i);
  }
  const files = [];
  for (let bytes = 0; bytes < usedMib * 2 ** 20; ) {
    const size = sizes[(files.length * 7) % sizes.length];
    const folder = join(mount, `folder-${files.length % 17}`);
    mkdirSync(folder, { recursive: true });
    const file = join(folder, `file-${files.length}`);
    writeFileSync(file, noise.subarray(0, size));
    files.push(file);
    bytes += size;
  }
  for (let i = 0; i < files.length; i += 5) rmSync(files[i]);
}

/** A disk without a hole: one opaque partition at LBA 63. */
export function fillWithNoise(path, sizeMib) {
  run('dd', ['if=/dev/urandom', `of=${path}`, 'bs=4M', `count=${sizeMib / 4}`, 'status=none']);
  const sectors = (sizeMib - 8) * 2048 - START;
  run('dd', ['if=/dev/zero', `of=${path}`, 'bs=512', 'count=4096', 'conv=notrunc', 'status=none']);
  run('sfdisk', ['-q', path], { input: `label: dos\nstart=${START}, size=${sectors}, type=da\n` });
}

/** A descriptor for a flat file beside it. */
export function writeDescriptor(path, flatName, sizeMib) {
  const sectors = sizeMib * 2048;
  const lines = [
    '# Disk DescriptorFile',
    'version=1',
    'CID=0123abcd',
    'parentCID=ffffffff',
    'createType="monolithicFlat"',
    '',
    `RW ${sectors} FLAT "${flatName}" 0`,
    '',
    'ddb.adapterType = "lsilogic"',
    `ddb.geometry.cylinders = "${Math.floor(sectors / (255 * 63))}"`,
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    '',
  ];
  writeFileSync(path, lines.join('\n'));
}

/** A datastore: one folder a VM, with its .vmx and a small NTFS disk each. */
export function manyDisks(target, count, folder) {
  const original = join(folder, 'small.img');
  guestWithNtfs(original, { sizeMib: 64, usedMib: 4, folder });
  for (let i = 0; i < count; i++) {
    const vm = join(target, `vm-${i}`);
    mkdirSync(vm, { recursive: true });
    run('cp', ['--sparse=always', original, join(vm, 'disk-flat.vmdk')]);
    writeDescriptor(join(vm, 'disk.vmdk'), 'disk-flat.vmdk', 64);
    const vmx = [
      `displayName = "vm ${i}"`,
      'guestOS = "winxppro"',
      'scsi0:0.present = "TRUE"',
      'scsi0:0.fileName = "disk.vmdk"',
    ];
    writeFileSync(join(vm, 'vm.vmx'), `${vmx.join('\n')}\n`);
  }
  rmSync(original);
}
