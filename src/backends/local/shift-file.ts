import type { FileHandle } from 'node:fs/promises';
import { internalError } from '../../core/errors.js';
import { MIB } from '../../core/units.js';
import { checkShift } from '../../device/bounds.js';
import type { Shift, Shifter, ShiftMap } from '../../device/types.js';
import { attempt, storeError } from './errors.js';
import { isErrno, type NativeCalls } from './native.js';
import type { NativeExtent } from './native-ioctl.js';
import { nextShiftStep, type ShiftStep } from './shift-steps.js';

/** linux/fs.h and ext4.h: the blocks of the file are in extents; its data does not pass through the journal, nor is it in the inode. */
const EXTENTS_FL = 0x0008_0000;
const UNFIT_FL = 0x0000_4000 | 0x1000_0000;
/** linux/fiemap.h: unknown place, delayed, encoded, encrypted, not aligned, inline, tail, shared. */
const NOT_YET_PLACED = 0x2 | 0x4;
const UNFIT_EXTENT = NOT_YET_PLACED | 0x8 | 0x80 | 0x100 | 0x200 | 0x400 | 0x2000;
/** Above it copying is better than a map of many megabytes. */
const MAX_EXTENTS = 65_536;
/** How kernels say that they cannot do it with this file. */
const CANNOT_SHIFT = ['EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'EPERM', 'ETXTBSY'] as const;
/** Undo, collapse, size, insert, and a look at the end; more is a circle. */
const MAX_STEPS = 8;

/** Of shorter files there is nothing to gain, and most that are opened are. */
const MIN_FILE_BYTES = 64 * MIB;

/** How a file can be shifted. */
export interface ShiftAbility {
  /** Multiple of which its ranges can be. */
  readonly blockBytes: number;
  /** By its map a shift can be followed as the file is now. While one is under way that says nothing about its rest. */
  readonly canBegin: boolean;
}

/**
 * How a file can be shifted in blocks of the given size. The map of the file is looked at so that no plan promises a shift which
 * would end as a copy.
 */
export const shiftAbilityOf = (
  native: NativeCalls,
  fd: number,
  sizeBytes: number,
  blockBytes: number,
): ShiftAbility => ({ blockBytes, canBegin: canBegin(native, fd, sizeBytes) });

/** Not synced: the file may be that of a running machine. */
function canBegin(native: NativeCalls, fd: number, sizeBytes: number): boolean {
  if (sizeBytes < MIN_FILE_BYTES) return false;
  const extents = native.extents(fd, MAX_EXTENTS + 1);
  return isKnown({ sizeBytes, extents }, UNFIT_EXTENT & ~NOT_YET_PLACED);
}

/** By the flags of the inode: ext4 shifts extents, and no blocks of other maps. */
export const isInExtents = (flags: number): boolean => (flags & EXTENTS_FL) !== 0 && (flags & UNFIT_FL) === 0;

/** What a shifter needs of the file. */
export interface ShiftSubject {
  readonly path: string;
  readonly handle: FileHandle;
  readonly native: NativeCalls;
}

/** The shifter of an open file on ext4 or XFS. */
export function fileShifter(file: ShiftSubject): Shifter {
  return {
    prepare: async (shift) => {
      checkShift(file.path, shift);
      giveBack(file, shift);
      const map = await mapOf(file);
      return isFollowable(map, shift) ? asShiftMap(map) : undefined;
    },
    carryOut: (shift, map) => carryOut(file, shift, map),
  };
}

/** All of what is in front, blocks too that were set aside and never written: they are no data, but in the way. */
function giveBack({ path, handle, native }: ShiftSubject, { from, to }: Shift): void {
  try {
    native.punchHole(handle.fd, to, from - to);
  } catch (error) {
    // The map then shows that something is left.
    if (!isErrno(error, ...CANNOT_SHIFT)) throw storeError(error, 'punch a hole into', path, to);
  }
}

interface FileMap {
  readonly sizeBytes: number;
  readonly extents: readonly NativeExtent[];
}

/** Durable first: a map of what is in memory only would not be found again. */
async function mapOf({ path, handle, native }: ShiftSubject): Promise<FileMap> {
  return attempt('map the blocks of', path, async () => {
    await handle.sync();
    const extents = native.extents(handle.fd, MAX_EXTENTS + 1, { sync: true });
    return { sizeBytes: (await handle.stat()).size, extents };
  });
}

const asShiftMap = ({ sizeBytes, extents }: FileMap): ShiftMap => ({
  sizeBytes,
  extents: extents.map(({ at, medium, length }) => [at, medium, length] as const),
});

/** Every block has a place of its own, none lies behind the end of the file, and none where the stretch goes first. */
function isFollowable(map: FileMap, { from, to }: Shift): boolean {
  return isKnown(map, UNFIT_EXTENT) && map.extents.every(({ at, length }) => at + length <= to || at >= from);
}

function isKnown({ sizeBytes, extents }: FileMap, unfit: number): boolean {
  return (
    extents.length <= MAX_EXTENTS && extents.every(({ at, flags }) => at < sizeBytes && (flags & unfit) === 0)
  );
}

async function carryOut(file: ShiftSubject, shift: Shift, map: ShiftMap): Promise<boolean> {
  checkShift(file.path, shift);
  for (let count = 0; count < MAX_STEPS; count++) {
    const { step, isUntouched } = nextShiftStep(map, asShiftMap(await mapOf(file)), shift);
    if (step.do === 'nothing') return true;
    try {
      await take(file, step);
    } catch (error) {
      if (isUntouched && isErrno(error, ...CANNOT_SHIFT)) return false;
      throw storeError(error, `${step.do} a range of`, file.path);
    }
  }
  throw internalError('shift', `shifting a range of ${file.path} does not come to an end`);
}

async function take({ handle, native }: ShiftSubject, step: ShiftStep): Promise<void> {
  if (step.do === 'collapse') native.collapseRange(handle.fd, step.at, step.length);
  if (step.do === 'insert') native.insertRange(handle.fd, step.at, step.length);
  if (step.do === 'resize') await handle.truncate(step.to);
}
