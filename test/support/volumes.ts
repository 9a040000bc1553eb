import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './judges.js';
import { type Driver, inMount, listVolume } from './mounts.js';
import { randomBytes } from './random.js';

export const SECTOR = 512;

/** What outside tools make: file systems, swap, or bytes nobody knows. */
export type VolumeKind = 'ntfs' | 'ext2' | 'ext3' | 'ext4' | 'fat32' | 'exfat' | 'swap' | 'opaque';

/** A finished volume in a file of its own: copied into disks, and compared with what a disk holds later. */
export interface Volume {
  readonly kind: VolumeKind;
  readonly path: string;
  readonly sectors: number;
  /** What a guest sees in it; empty where the host has no driver. */
  readonly listing: string;
}

interface VolumeWish {
  readonly sectors: number;
  /** NTFS only. */
  readonly clusterBytes?: number;
  /** Sectors before the partition, as the boot sector tells them. */
  readonly hidden?: number;
  /** Bytes of random content, besides the many small things. */
  readonly contentBytes?: number;
  /** ext only: arguments of mke2fs; without it blocks of 4 KiB. */
  readonly mke2fs?: readonly string[];
  /** NTFS and ext: bytes that are in the way while all this is written, and free afterwards. */
  readonly fillerBytes?: number;
}

/** The driver of the host for a kind of volume. */
export function driverOf(kind: VolumeKind): Driver | undefined {
  if (kind === 'ntfs') return 'ntfs';
  return kind.startsWith('ext') ? 'ext' : undefined;
}

/** Makes a volume with its tool, fills it through the host's driver and lists what is in it. */
export function makeVolume(folder: string, name: string, kind: VolumeKind, wish: VolumeWish): Volume {
  const path = join(folder, `${name}.${kind}`);
  writeFileSync(path, '');
  truncateSync(path, wish.sectors * SECTOR);
  FORMATTERS[kind](path, wish);
  const driver = driverOf(kind);
  return { kind, path, sectors: wish.sectors, listing: driver ? listVolume(driver, path) : '' };
}

const FORMATTERS: Readonly<Record<VolumeKind, (path: string, wish: VolumeWish) => void>> = {
  ntfs: formatNtfs,
  ext2: (path, wish) => formatExt('ext2', path, wish),
  ext3: (path, wish) => formatExt('ext3', path, wish),
  ext4: (path, wish) => formatExt('ext4', path, wish),
  fat32: (path, { hidden = 63 }) => {
    run('mkfs.fat', ['-F', '32', '-s', '1', '-S', '512', '-h', `${hidden}`, '-n', 'OLDFAT', path]);
  },
  exfat: formatExfat,
  swap: (path) => {
    run('mkswap', ['-L', 'swapped', path]);
  },
  opaque: fillOpaque,
};

function formatNtfs(path: string, wish: VolumeWish): void {
  const { clusterBytes = 4096, hidden = 63, contentBytes = 0, fillerBytes = 0 } = wish;
  const geometry = ['-p', `${hidden}`, '-H', '255', '-S', '63', '-s', '512'];
  run('mkntfs', ['-F', '-Q', '-q', '-q', '-c', `${clusterBytes}`, '-L', 'System', ...geometry, path]);
  const filled = `head -c ${fillerBytes} /dev/zero > filler\n${fillNtfs(contentBytes, clusterBytes)}\nrm filler`;
  inMount('ntfs', path, 'rw', filled);
}

/**
 * Files of every shape NTFS has: small ones inside their records, large ones, two in some sixty pieces each, a sparse
 * one, compressed ones (clusters up to 4 KiB), named streams inside and outside of records, deep folders.
 */
function fillNtfs(contentBytes: number, clusterBytes: number): string {
  const compressed = clusterBytes <= 4096 ? 'setfattr -n system.ntfs_attrib_be -v 0x00000810 packed' : '';
  return `
    mkdir -p filling packed deep/er/and/deeper
    for piece in $(seq -w 1 120); do head -c 64K /dev/zero > filling/$piece; done
    rm filling/*[13579]
    head -c 2M /dev/urandom > pieces-a; head -c 1500K /dev/urandom > pieces-b
    rm -r filling
    ${compressed}
    yes 'compressible content' | head -c 1200000 > packed/text || true
    for i in $(seq 1 150); do echo "content of file $i" > "deep/file with a longer name $i"; done
    for i in $(seq 1 20); do head -c 20000 /dev/urandom > deep/er/and/deeper/$i; done
    truncate -s 30M sparse; head -c 9000 /dev/urandom | dd of=sparse bs=4k seek=5000 conv=notrunc status=none
    echo 'a short stream' > pieces-a:short; head -c 90000 /dev/urandom > pieces-a:long
    echo 'of a folder' > deep:note
    head -c ${contentBytes} /dev/urandom > large
  `;
}

function formatExt(type: string, path: string, wish: VolumeWish): void {
  const { contentBytes = 0, fillerBytes = 0, mke2fs = ['-b', '4096'] } = wish;
  run('mke2fs', ['-q', '-F', '-t', type, ...mke2fs, '-L', type, path]);
  const script = `
    head -c ${fillerBytes} /dev/zero > filler
    mkdir -p srv/www/deep/er
    for i in $(seq 1 120); do head -c $((i * 300)) /dev/urandom > srv/www/page-$i; done
    head -c 3M /dev/urandom > srv/www/deep/er/data
    truncate -s 20M sparse; echo end >> sparse
    ln -s ../srv link; ln srv/www/page-1 hard; mkfifo pipe; chmod 4755 hard; chown 1000:1000 srv
    setfattr -n user.note -v 'kept' hard
    head -c ${contentBytes} /dev/urandom > large
    rm filler
  `;
  inMount('ext', path, 'rw', script);
}

/** mkfs.exfat leaves the partition offset at 0, "do not care". Windows fills it in, so this does. */
function formatExfat(path: string, { hidden = 63 }: VolumeWish): void {
  run('mkfs.exfat', ['-L', 'card', path]);
  const fd = openSync(path, 'r+');
  try {
    for (const region of [0, 12]) {
      const boot = Buffer.alloc(12 * SECTOR);
      readSync(fd, boot, 0, boot.length, region * SECTOR);
      boot.writeBigUInt64LE(BigInt(hidden), 0x40);
      const checksum = exfatChecksum(boot.subarray(0, 11 * SECTOR));
      for (let at = 11 * SECTOR; at < boot.length; at += 4) boot.writeUInt32LE(checksum, at);
      writeSync(fd, boot, 0, boot.length, region * SECTOR);
    }
  } finally {
    closeSync(fd);
  }
  run('fsck.exfat', ['-n', path]);
}

/** exFAT specification, 3.4: volume flags and percent in use do not count. */
function exfatChecksum(boot: Uint8Array): number {
  return boot.reduce((sum, byte, at) => {
    if (at === 106 || at === 107 || at === 112) return sum;
    return (((sum & 1) << 31) + (sum >>> 1) + byte) >>> 0;
  }, 0);
}

/** No zero byte and no known signature, with one hole of zeros in the middle. */
function fillOpaque(path: string, { sectors }: VolumeWish): void {
  const third = Math.floor(sectors / 3) * SECTOR;
  const bytes = randomBytes(64 * 1024, sectors);
  const fd = openSync(path, 'r+');
  try {
    for (const start of [0, sectors * SECTOR - third]) {
      for (let done = 0; done < third; done += bytes.length) {
        // Each piece differs, so that none can take the place of another.
        bytes.set(new Uint8Array(new Float64Array([start + done + 1]).buffer));
        writeSync(fd, bytes, 0, Math.min(bytes.length, third - done), start + done);
      }
    }
  } finally {
    closeSync(fd);
  }
}
