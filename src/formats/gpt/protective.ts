import type { Decoded } from '../../codec/layout.js';
import type { Reason } from '../../core/errors.js';
import { mbrEntryLayout } from './layout.js';
import type { GptPartition } from './types.js';

/** Bytes of the MBR, whatever the sector size. */
export const MBR_SIZE = 512;
const ENTRIES_AT = 0x1be;
const ENTRY_SIZE = 16;
const ENTRY_COUNT = 4;
const PROTECTIVE_TYPE = 0xee;
/** The protective entry begins behind the MBR; Linux insists on it. */
const PROTECTIVE_START = 1;
/** The count for "as much as 32 bits can say". Windows writes it on disks of any size. */
const WHOLE_DISK = 0xffffffff;

interface MbrEntry extends Decoded<typeof mbrEntryLayout> {
  /** Byte offset in the MBR. */
  readonly at: number;
}

/**
 * What sector 0 says. `announced`: an entry of type EE says that the disk has a GPT. `foreign`: entries, but
 * none of type EE: the disk is an MBR disk. `blank`: nothing.
 */
export type MbrKind = 'announced' | 'foreign' | 'blank';

function usedEntries(mbr: Uint8Array): MbrEntry[] {
  if (mbr[510] !== 0x55 || mbr[511] !== 0xaa) return [];
  const offsets = Array.from({ length: ENTRY_COUNT }, (_, index) => ENTRIES_AT + index * ENTRY_SIZE);
  return offsets.map((at) => ({ at, ...mbrEntryLayout.decode(mbr, at) })).filter(({ count }) => count !== 0);
}

const isProtective = ({ type }: MbrEntry): boolean => type === PROTECTIVE_TYPE;

/** Judges sector 0; bytes that are no table at all are `blank` or `foreign`. */
export function mbrKind(mbr: Uint8Array): MbrKind {
  const entries = usedEntries(mbr);
  if (entries.some(isProtective)) return 'announced';
  return entries.length > 0 ? 'foreign' : 'blank';
}

/** What is wrong with the MBR of a GPT disk. */
export function mbrProblems(mbr: Uint8Array, partitions: readonly GptPartition[]): Reason[] {
  const entries = usedEntries(mbr);
  const protective = entries.filter(isProtective);
  if (protective.length === 0) {
    const message = 'sector 0 does not announce the GPT: most systems do not see its partitions';
    return [
      { code: 'gpt-not-announced', message, hint: 'write a protective MBR with gdisk, or remove the GPT' },
    ];
  }
  const problems: Reason[] = [];
  if (!protective.some(({ start }) => start === PROTECTIVE_START)) {
    const message = 'the protective entry of the MBR does not begin at sector 1: Linux does not see the GPT';
    problems.push({ code: 'gpt-protective-mbr', message, hint: 'write a new protective MBR with gdisk' });
  }
  const strangers = entries.filter(
    (entry) => !isProtective(entry) && sharing(entry, partitions).length === 0,
  );
  if (strangers.length > 0) {
    const message = 'the hybrid MBR lists a partition that the GPT does not know';
    problems.push({ code: 'hybrid-mbr-stranger', message, hint: 'correct the hybrid MBR with gdisk' });
  }
  return problems;
}

/** Numbers of the partitions that the MBR describes too, fully or in part. */
export function hybridNumbers(mbr: Uint8Array, partitions: readonly GptPartition[]): number[] {
  const listed = usedEntries(mbr).filter((entry) => !isProtective(entry));
  const numbers = new Set(listed.flatMap((entry) => sharing(entry, partitions)));
  return [...numbers].sort((a, b) => a - b);
}

function sharing({ start, count }: MbrEntry, partitions: readonly GptPartition[]): number[] {
  return partitions
    .filter(({ startLba, lastLba }) => startLba < start + count && lastLba >= start)
    .map(({ number }) => number);
}

/**
 * The MBR for a disk that changes its size, or the same bytes. Hybrid ones are left alone: what their EE entry
 * covers is somebody's choice. So is a count of "everything" on a disk that 32 bits could have counted. CHS
 * fields stay: FF FF FF for all but tiny disks.
 */
export function resizedMbr(mbr: Uint8Array, oldSectors: number, newSectors: number): Uint8Array {
  const [entry, ...others] = usedEntries(mbr);
  if (entry === undefined || others.length > 0) return mbr;
  if (entry.count === WHOLE_DISK && protectiveCount(oldSectors) < WHOLE_DISK) return mbr;
  const count = protectiveCount(newSectors);
  if (count === entry.count) return mbr;
  const resized = mbr.slice();
  mbrEntryLayout.patch(resized, entry.at, { count });
  return resized;
}

const protectiveCount = (diskSectors: number): number => Math.min(diskSectors - PROTECTIVE_START, WHOLE_DISK);
