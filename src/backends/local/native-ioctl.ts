import { arch } from 'node:process';

/** A run of blocks, as struct fiemap_extent has it: bytes of the file, bytes of the medium, FIEMAP_EXTENT_* flags. */
export interface NativeExtent {
  readonly at: number;
  readonly medium: number;
  readonly length: number;
  readonly flags: number;
}

/** linux/fs.h and xfs_fs.h; powerpc has other bits for "read". */
const READ = arch === 'ppc64' ? 0x40000000 : 0x80000000;
const FS_IOC_GETFLAGS = READ + 0x00086601;
const XFS_IOC_FSGEOMETRY = READ + 0x0100587e;
const FS_IOC_FIEMAP = 0xc020660b;

/** struct xfs_fsop_geom: its size, where its flags are, and the one for shared blocks. */
const XFS_GEOMETRY_BYTES = 256;
const XFS_GEOMETRY_FLAGS_AT = 92;
const XFS_GEOMETRY_REFLINK = 1 << 20;

/** struct fiemap (start, length, flags, mapped, count, reserved) and struct fiemap_extent behind it. */
const FIEMAP_BYTES = 32;
const FIEMAP_EXTENT_BYTES = 56;
const FIEMAP_FLAG_SYNC = 1;
const EXTENT_FLAGS_AT = 40;
const EXTENTS_A_CALL = 512;

type Ioctl = (name: string, request: number, fd: number, argument: Uint8Array) => void;

/** Questions about an open file that are asked by ioctl(2). */
export function fileCalls(ioctl: Ioctl) {
  return {
    extents: (fd: number, most: number, { sync = false } = {}): NativeExtent[] => {
      const all: NativeExtent[] = [];
      for (let at = 0; all.length < most; ) {
        const found = extentsFrom(ioctl, fd, at, sync);
        all.push(...found);
        const last = found.at(-1);
        if (last === undefined || found.length < EXTENTS_A_CALL) break;
        at = last.at + last.length;
      }
      return all;
    },
    inodeFlags: (fd: number): number => {
      // The kernel writes an int, though the number of the call says long.
      const flags = new Uint8Array(8);
      ioctl('FS_IOC_GETFLAGS', FS_IOC_GETFLAGS, fd, flags);
      return new DataView(flags.buffer).getUint32(0, isLittleEndian);
    },
    sharesBlocksOnXfs: (fd: number): boolean => {
      const geometry = new Uint8Array(XFS_GEOMETRY_BYTES);
      ioctl('XFS_IOC_FSGEOMETRY', XFS_IOC_FSGEOMETRY, fd, geometry);
      const flags = new DataView(geometry.buffer).getUint32(XFS_GEOMETRY_FLAGS_AT, isLittleEndian);
      return (flags & XFS_GEOMETRY_REFLINK) !== 0;
    },
  };
}

const isLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function extentsFrom(ioctl: Ioctl, fd: number, at: number, sync: boolean): NativeExtent[] {
  const bytes = new Uint8Array(FIEMAP_BYTES + EXTENTS_A_CALL * FIEMAP_EXTENT_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(at), isLittleEndian);
  // To the end, whatever lies behind the size of the file.
  view.setBigUint64(8, BigInt(Number.MAX_SAFE_INTEGER) - BigInt(at), isLittleEndian);
  view.setUint32(16, sync ? FIEMAP_FLAG_SYNC : 0, isLittleEndian);
  view.setUint32(24, EXTENTS_A_CALL, isLittleEndian);
  ioctl('FS_IOC_FIEMAP', FS_IOC_FIEMAP, fd, bytes);
  return Array.from({ length: view.getUint32(20, isLittleEndian) }, (_, index) => {
    const base = FIEMAP_BYTES + index * FIEMAP_EXTENT_BYTES;
    const field = (offset: number) => Number(view.getBigUint64(base + offset, isLittleEndian));
    return {
      at: field(0),
      medium: field(8),
      length: field(16),
      flags: view.getUint32(base + EXTENT_FLAGS_AT, isLittleEndian),
    };
  });
}
