import { createHash } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteRange } from '../../src/core/range.js';
import { run } from './judges.js';

/** Drivers of the host that read a volume: FUSE for NTFS, the kernel for ext. */
export type Driver = 'ntfs' | 'ext';

/** A mount that takes longer has hung. */
const MOUNT_SECONDS = '120';

/**
 * $1 driver, $2 volume, $3 mount point, $4 `ro` or `rw`, $5 script. The NTFS driver stays a child, so that its end can
 * be waited for: only then everything it wrote is in the file.
 */
const MOUNTED = `
  case $1 in
    ntfs) ntfs-3g "$2" "$3" -o "$4,no_detach,streams_interface=windows,compression,noatime" >"$3.log" 2>&1 & driver=$! ;;
    ext) driver=; options=$4,loop,noatime; [ "$4" = ro ] && options=$options,noload
      mount -t ext4 -o "$options" "$2" "$3" ;;
  esac
  for round in $(seq 1 200); do mountpoint -q "$3" && break; sleep 0.02; done
  mountpoint -q "$3" || { cat "$3.log"; exit 1; }
  result=0
  (cd "$3"; bash -euo pipefail -c "$5") || result=$?
  for round in $(seq 1 200); do umount "$3" && break; sleep 0.02; done
  if [ -n "$driver" ]; then wait "$driver"; fi
  exit $result
`;

/** Runs shell commands in the root folder of a mounted volume and returns their output. Needs root. */
export function inMount(driver: Driver, volume: string, access: 'ro' | 'rw', script: string): string {
  const point = mkdtempSync(join(tmpdir(), 'vmreclaim-mount-'));
  try {
    return run('timeout', [
      MOUNT_SECONDS,
      'bash',
      '-euc',
      MOUNTED,
      'mounted',
      driver,
      volume,
      point,
      access,
      script,
    ]);
  } finally {
    rmSync(point, { recursive: true });
    rmSync(`${point}.log`, { force: true });
  }
}

/**
 * Everything a guest would see: kind, permissions, size, allocated blocks (compressed and sparse files keep theirs),
 * time and target of every file, then the hashes of all contents and named streams.
 */
const LIST = `
  export LC_ALL=C
  find . -printf '%y %m %s %b %T@ %p %l\\n' | sort
  find . -type f -print0 | sort -z | xargs -0r sha256sum
  getfattr -R -h -d -m 'user|security|trusted' -e hex . 2>/dev/null | grep -v '^$' || true
`;

/** Names of all named streams, `file:stream`; getfattr shows the zero between two names as \\000. */
const STREAMS = `
  getfattr -R -e text -n ntfs.streams.list . 2>/dev/null | awk '
    /^# file: / { file = substr($0, 9) }
    /^ntfs.streams.list=/ {
      names = substr($0, 20, length($0) - 20)
      count = split(names, list, /\\\\000/)
      for (i = 1; i <= count; i++) if (list[i] != "") print file ":" list[i]
    }' | sort | tr '\\n' '\\0' | xargs -0r sha256sum
`;

/** What is in a volume, as lines to compare. */
export function listVolume(driver: Driver, volume: string): string {
  return inMount(driver, volume, 'ro', driver === 'ntfs' ? LIST + STREAMS : LIST);
}

/** Hash of a whole file, to compare with that of another. */
export function hashFile(path: string): string {
  return hashPieces(path, { at: 0, length: statSync(path).size });
}

/** What is hashed at a time: small enough to stay in the cache of the processor. */
const PIECE_BYTES = 256 * 1024;
const ZEROS = Buffer.alloc(PIECE_BYTES);

/**
 * SHA-256 of a stretch of a file: of its length, and of each piece that is not all zeros with its place. Disks are mostly
 * holes. `blanks`, as [offset in the stretch, length], count as zeros; they must lie in the first piece.
 */
export function hashPieces(
  path: string,
  { at, length }: ByteRange,
  blanks: readonly (readonly [number, number])[] = [],
): string {
  const hash = createHash('sha256').update(`${length}`);
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  const fd = openSync(path, 'r');
  try {
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const wanted = Math.min(PIECE_BYTES, length - done);
      if (readSync(fd, piece, 0, wanted, at + done) !== wanted) throw new Error(`${path} ends early`);
      if (done === 0) for (const [blank, count] of blanks) piece.fill(0, blank, blank + count);
      const bytes = piece.subarray(0, wanted);
      if (!bytes.equals(ZEROS.subarray(0, wanted))) hash.update(`${done}`).update(bytes);
    }
  } finally {
    closeSync(fd);
  }
  return hash.digest('hex');
}

/** SHA-256 of bytes. */
export function hashBytes(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
