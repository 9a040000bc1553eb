import { refused, unsupported, type VmreclaimError } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { COMPATIBLE, INCOMPATIBLE, isUnderstood, kindOf, READ_ONLY_COMPATIBLE } from './features.js';
import { STATE_ERRORS, STATE_VALID } from './layout.js';
import { openExt, totalBytesOf } from './volume.js';

/** What the programs that resize an ext file system must be told, and what stands against it. */
export interface ExtResizing {
  readonly blockBytes: number;
  readonly totalBytes: number;
  /** Whatever is done first: the programs cannot do it, or it cannot be relied on. */
  readonly obstacle: VmreclaimError | undefined;
  /** Goes away by a repair: a journal to be replayed, errors that the kernel found. */
  readonly damage: VmreclaimError | undefined;
}

/** Reads the superblock. Damaged when it makes no sense. */
export async function extResizing(volume: Reader): Promise<ExtResizing> {
  const opened = await openExt(volume);
  const { superblock, blockBytes } = opened;
  return {
    blockBytes,
    totalBytes: totalBytesOf(opened),
    obstacle: obstacleOf(superblock) ?? (await mountedElsewhere(volume, superblock, blockBytes)),
    damage: damageOf(superblock),
  };
}

/** Sequence of a block of multiple mount protection when nobody has the file system mounted (EXT4_MMP_SEQ_CLEAN). */
const MMP_CLEAN = 0xff4d4d50;
const MMP_SEQUENCE_AT = 4;

/** e2fsck waits for as long as that block says, hours at worst, before it believes that nobody is there. */
async function mountedElsewhere(
  volume: Reader,
  { incompatible, mmpBlock }: Superblock,
  blockBytes: number,
): Promise<VmreclaimError | undefined> {
  if ((incompatible & INCOMPATIBLE.multipleMountProtection) === 0) return undefined;
  const at = Number(mmpBlock) * blockBytes + MMP_SEQUENCE_AT;
  const bytes = await readInside(volume, at, 4, 'the block of multiple mount protection');
  const sequence = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (sequence === MMP_CLEAN) return undefined;
  return refused(
    'ext-mounted',
    'multiple mount protection says that somebody has the ext file system mounted',
    {
      hint: 'unmount it everywhere; after a crash start the guest and shut it down cleanly, or tune2fs -f -E clear_mmp',
    },
  );
}

type Superblock = Parameters<typeof kindOf>[0];

function obstacleOf(superblock: Superblock): VmreclaimError | undefined {
  const { readOnlyCompatible } = superblock;
  if (kindOf(superblock) === 'jbd') {
    return unsupported('ext-journal-device', 'an external journal has a fixed size');
  }
  if (namesOtherDevice(superblock)) {
    return unsupported('ext-external-journal', 'the ext file system names a journal on another device', {
      hint: 'it can be moved; bring the journal back inside in the guest (tune2fs -O ^has_journal, then tune2fs -j)',
    });
  }
  if (readOnlyCompatible & READ_ONLY_COMPATIBLE.bigAllocation) {
    return unsupported('ext-bigalloc', 'ext4 with the feature bigalloc is not resized', {
      hint: 'it can be moved; copy its files to a new file system of the size you want',
    });
  }
  if (readOnlyCompatible & READ_ONLY_COMPATIBLE.sharedBlocks || !isUnderstood(superblock)) {
    return unsupported('ext-features', 'the ext file system has features that are not resized', {
      hint: 'it can be moved; resize it with the guest’s own tools',
    });
  }
  return undefined;
}

/**
 * e2fsck would look for such a journal among the devices of this host, by UUID or number, and write to it. It does so
 * for any of these fields (e2fsprogs e2fsck/journal.c), whether the feature is there or not.
 */
function namesOtherDevice({
  compatible,
  journalInode,
  journalDeviceNumber,
  journalUuid,
}: Superblock): boolean {
  const isOutside = (compatible & COMPATIBLE.hasJournal) !== 0 && journalInode === 0;
  return isOutside || journalDeviceNumber !== 0 || journalUuid.some((byte) => byte !== 0);
}

function damageOf({ incompatible, readOnlyCompatible, state }: Superblock): VmreclaimError | undefined {
  const journal =
    (incompatible & INCOMPATIBLE.needsRecovery) !== 0 ||
    (readOnlyCompatible & READ_ONLY_COMPATIBLE.orphansPresent) !== 0;
  if (journal) {
    return refused('ext-needs-recovery', 'the journal of the ext file system was not replayed', {
      hint: 'start the guest and shut it down cleanly, or let --repair replay it',
    });
  }
  if ((state & STATE_VALID) !== 0 && (state & STATE_ERRORS) === 0) return undefined;
  return refused('ext-dirty', 'the ext file system was not unmounted cleanly, or the kernel found errors', {
    hint: 'run e2fsck in the guest, or let --repair do what e2fsck does without asking',
  });
}
