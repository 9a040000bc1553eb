import { arch, env, platform } from 'node:process';
import { getSystemErrorName } from 'node:util';
import { KIB } from '../../core/units.js';
import { fileCalls, type NativeExtent } from './native-ioctl.js';

/**
 * Calls of the C library that Node does not offer. They throw what node:fs throws: an Error with a `code`
 * such as EOPNOTSUPP. Offsets and lengths are bytes, `fd` is a plain file descriptor.
 */
export interface NativeCalls {
  /** Gives the range back to the file system; it reads as zeros afterwards, the size stays. */
  punchHole(fd: number, offset: number, length: number): void;
  /**
   * Copies inside the file system, which may share blocks instead; returns how many bytes: short counts are usual. The
   * ranges must not overlap.
   */
  copyRange(fd: number, from: number, to: number, length: number): number;
  /**
   * Lets the target share blocks of the source (ioctl FICLONERANGE): from these places on, by default the beginnings, and
   * with the length 0 to the end of the source. All are multiples of the block size of the file system, but the end of the
   * source need not be.
   */
  cloneRange(source: number, target: number, length: number, from?: number, to?: number): void;
  /** Start of the first data at or behind the offset; undefined when only a hole follows. */
  nextData(fd: number, offset: number): number | undefined;
  /** Start of the first hole at or behind the offset; the end of the file counts as one. */
  nextHole(fd: number, offset: number): number;
  /** Takes the range out of the file: what is behind it moves up, and the file is shorter by it. */
  collapseRange(fd: number, offset: number, length: number): void;
  /** Puts a hole in: what is behind the offset moves back, and the file is longer by it. */
  insertRange(fd: number, offset: number, length: number): void;
  /** Where the blocks of the file are, sorted; at least `most` of them, if there are. `sync`: after its pages were written. */
  extents(fd: number, most: number, options?: { readonly sync?: boolean }): NativeExtent[];
  /** FS_IOC_GETFLAGS: bits of the inode. */
  inodeFlags(fd: number): number;
  /** XFS_IOC_FSGEOMETRY: can files of this XFS share blocks? */
  sharesBlocksOnXfs(fd: number): boolean;
  /**
   * Exclusive locks on the open file, both kinds at once: an open file description lock over the whole file,
   * which collides with those of a running qemu, and flock(2), which the fallback without this module takes.
   * Throws EAGAIN or EACCES when somebody holds either.
   */
  lockExclusive(fd: number): void;
}

/** Values of the Linux ABI, the same on the 64-bit machines of SUPPORTED_ARCHITECTURES. */
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_COLLAPSE_RANGE = 0x08;
const FALLOC_FL_INSERT_RANGE = 0x20;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const LOCK_EX = 2;
const LOCK_NB = 4;
const F_OFD_SETLK = 37;
const F_WRLCK = 1;
/** struct flock with 64-bit offsets; type and whence are shorts, start, length and pid follow at 8. */
const FLOCK_STRUCT_BYTES = 32;
/** linux/fs.h: _IOW(0x94, 13, struct file_clone_range); powerpc has another bit for "write". */
const FICLONERANGE = arch === 'ppc64' ? 0x8020940d : 0x4020940d;
/** malloc.h of glibc. */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
/** What glibc begins with. */
const MALLOC_THRESHOLD_BYTES = 128 * KIB;

/** Elsewhere struct flock and off_t look different. */
const SUPPORTED_ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64', 'ppc64'];

let loaded: Promise<NativeCalls | undefined> | undefined;

/**
 * The native calls, or undefined where koffi (an optional dependency) is missing, on other systems than
 * Linux, and with the environment variable VMRECLAIM_NATIVE=off, which exists so that tests and doubtful
 * users can go without. Everything works without them: holes are then unknown and discards write zeros.
 */
export function loadNative(): Promise<NativeCalls | undefined> {
  if (env.VMRECLAIM_NATIVE === 'off') return Promise.resolve(undefined);
  loaded ??= bind();
  return loaded;
}

async function bind(): Promise<NativeCalls | undefined> {
  if (platform !== 'linux' || !SUPPORTED_ARCHITECTURES.includes(arch)) return undefined;
  try {
    return nativeCalls(await import('koffi'));
  } catch {
    // Not installed, no binary for this machine, or a C library without one of the calls.
    return undefined;
  }
}

function nativeCalls(koffi: typeof import('koffi')): NativeCalls {
  // The calls are looked up in this process, so that glibc and musl need no names.
  const library = koffi.load(null);
  giveBuffersBack(library);
  // off_t and ssize_t are unknown to koffi. fcntl is variadic, which these ABIs pass like fixed arguments.
  const fallocate = library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)');
  const lseek = library.func('int64_t lseek(int fd, int64_t offset, int whence)');
  const copyFileRange = library.func(
    'int64_t copy_file_range(int from, _Inout_ int64_t *at, int to, _Inout_ int64_t *target, size_t length, uint32_t flags)',
  );
  const ioctl = library.func('int ioctl(int fd, unsigned long request, void *argument)');
  const flock = library.func('int flock(int fd, int operation)');
  const fcntl = library.func('int fcntl(int fd, int command, void *lock)');

  /** Runs a call again while a signal interrupts it. errno is read before anything else can change it. */
  const checked = (name: string, call: () => unknown): number => {
    for (;;) {
      const result = Number(call());
      if (result !== -1) return result;
      const errno = koffi.errno();
      const code = nameOf(errno);
      if (code !== 'EINTR') throw Object.assign(new Error(`${code}: ${name}`), { code, errno: -errno });
    }
  };

  return {
    punchHole: (fd, offset, length) => {
      const mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      checked('fallocate', () => fallocate(fd, mode, offset, length));
    },
    copyRange: (fd, from, to, length) =>
      checked('copy_file_range', () => copyFileRange(fd, [from], fd, [to], length, 0)),
    cloneRange: (source, target, length, from = 0, to = 0) => {
      // struct file_clone_range: source, its offset, length, offset in the target.
      const range = new BigInt64Array([BigInt(source), BigInt(from), BigInt(length), BigInt(to)]);
      checked('ioctl FICLONERANGE', () => ioctl(target, FICLONERANGE, range));
    },
    collapseRange: (fd, offset, length) => {
      checked('fallocate', () => fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, offset, length));
    },
    insertRange: (fd, offset, length) => {
      checked('fallocate', () => fallocate(fd, FALLOC_FL_INSERT_RANGE, offset, length));
    },
    ...fileCalls((name, request, fd, argument) =>
      checked(`ioctl ${name}`, () => ioctl(fd, request, argument)),
    ),
    nextData: (fd, offset) => {
      try {
        return checked('lseek', () => lseek(fd, offset, SEEK_DATA));
      } catch (error) {
        if (isErrno(error, 'ENXIO')) return undefined;
        throw error;
      }
    },
    nextHole: (fd, offset) => checked('lseek', () => lseek(fd, offset, SEEK_HOLE)),
    lockExclusive: (fd) => {
      checked('fcntl', () => fcntl(fd, F_OFD_SETLK, wholeFileWriteLock()));
      checked('flock', () => flock(fd, LOCK_EX | LOCK_NB));
    },
  };
}

/** libuv calls it ENOTSUP, which is the same number on Linux; whoever asks goes by the name in the manuals of the calls. */
function nameOf(errno: number): string {
  const name = getSystemErrorName(-errno);
  return name === 'ENOTSUP' ? 'EOPNOTSUPP' : name;
}

/**
 * Buffers of node lie in malloc's memory. glibc lets the size from which on each gets pages of its own grow up to 32 MiB
 * with what is freed; then large buffers lie among small ones, and holes between them are never given back: some 15 MiB
 * in a long run. Setting the size ends the growth.
 */
function giveBuffersBack(library: ReturnType<typeof import('koffi').load>): void {
  try {
    const mallopt = library.func('int mallopt(int parameter, int value)');
    for (const parameter of [M_MMAP_THRESHOLD, M_TRIM_THRESHOLD]) mallopt(parameter, MALLOC_THRESHOLD_BYTES);
  } catch {
    // musl has neither the call nor the habit.
  }
}

/** struct flock: start 0 of the file, length 0 for "to the end, wherever that is", pid 0 as OFD locks demand. */
function wholeFileWriteLock(): Uint8Array {
  const lock = new Uint8Array(FLOCK_STRUCT_BYTES);
  new Int16Array(lock.buffer, 0, 1)[0] = F_WRLCK;
  return lock;
}

/** True for an error of node:fs or of the native calls with one of the codes. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
