import { refused, type VmreclaimError } from '../../../core/errors.js';
import type { Reader } from '../../../device/types.js';
import type { ResizeRequest, VolumeCopy, VolumeResize, VolumeStep } from '../../types.js';
import { auditForResize } from './audit.js';
import { changeSteps } from './commit.js';
import type { PlacedRun } from './encode-pairs.js';
import { enlargeNtfs } from './enlarge.js';
import { geometryFor } from './geometry.js';
import { type ProvenLayout, planMoves } from './plan-moves.js';
import { copySteps, discardStep } from './steps.js';
import { openSubject, runsOf, type Subject } from './subject.js';

/**
 * Works out an NTFS volume that fits a smaller partition: clusters behind the new end get new places below it,
 * every FILE record was tried. Nothing is written; what cannot be finished is refused here (see docs/formats/ntfs.md
 * for the codes). A volume that does not fill its partition, and would not fill the smaller one either, grows to do so. Memory is bounded: at most 1,048,576 runs are moved, at most 512 GiB of 4 KiB clusters audited
 * at a time.
 */
export async function shrinkNtfs(
  reader: Reader,
  request: ResizeRequest,
  signal?: AbortSignal,
): Promise<VolumeResize> {
  const subject = await openSubject(reader);
  const geometry = geometryFor(subject.volume.boot, request.newSizeBytes);
  requireSmaller(subject, request.newSizeBytes);
  if (geometry.clusterCount > subject.volume.clusterCount) return enlargeNtfs(reader, request, signal);
  const unowned = await auditForResize(subject, signal);
  if (unowned.last >= geometry.clusterCount) throw unownedBehind(unowned.last);
  const layout = await planMoves(subject, geometry, signal);
  const drops = layout.moves.count > 0 && subject.volume.hasShadowCopies;
  if (drops && request.dropShadowCopies !== true) throw shadowCopies();
  return new Shrink(subject, layout, request, { drops, unowned: unowned.clusters });
}

function requireSmaller({ volume }: Subject, newSizeBytes: number): void {
  if (newSizeBytes <= volume.reader.sizeBytes) return;
  throw refused('ntfs-not-smaller', 'the partition of the NTFS volume is smaller than that already', {
    expected: `at most ${volume.reader.sizeBytes} bytes`,
    actual: newSizeBytes,
    hint: 'choose a smaller size',
  });
}

/** Clusters that cannot be moved, because nothing says what they are. */
export const unownedBehind = (last: number): VmreclaimError =>
  refused('ntfs-unowned-clusters', 'clusters behind the new end are marked used, but no file owns them', {
    actual: `cluster ${last}`,
    hint: 'start the guest and run `chkdsk /f` on the volume, or choose a larger size',
  });

const shadowCopies = (): VmreclaimError =>
  refused('ntfs-shadow-copies', 'shadow copies hold positions of clusters that would have to move', {
    hint: 'delete the restore points in the guest (`vssadmin delete shadows /all`), or consent with --drop-shadow-copies',
  });

interface Found {
  readonly drops: boolean;
  readonly unowned: number;
}

class Shrink implements VolumeResize {
  readonly relocatedBytes: number;
  readonly totalBytesBefore: number;
  readonly totalBytesAfter: number;
  readonly fixups: VolumeResize['fixups'];
  readonly warnings: VolumeResize['warnings'];

  constructor(
    private readonly subject: Subject,
    private readonly layout: ProvenLayout,
    private readonly request: ResizeRequest,
    private readonly found: Found,
  ) {
    const { moves, geometry, clusterBytes } = layout;
    let clusters = 0;
    for (let index = 0; index < moves.count; index++) clusters += moves.at(index).length;
    this.relocatedBytes = clusters * clusterBytes;
    this.totalBytesBefore = subject.volume.boot.totalBytes;
    this.totalBytesAfter = geometry.totalBytes;
    this.fixups = [
      {
        kind: 'ntfs-shrink',
        message: `NTFS: ${subject.volume.clusterCount} -> ${geometry.clusterCount} clusters`,
      },
    ];
    this.warnings = warningsOf(found);
  }

  async *steps(signal?: AbortSignal): AsyncGenerator<VolumeStep> {
    const { subject, layout, request } = this;
    const { volume } = subject;
    yield* copySteps('gather', 'copy clusters below the new end', this.copies());
    yield* changeSteps(
      {
        subject,
        layout,
        bitmap: {
          old: subject.bitmapStream,
          oldClusterCount: volume.clusterCount,
          geometry: layout.geometry,
          moves: layout.moves,
          freed: layout.freed,
          taken: layout.repack.taken,
          zeroedFrom: 0,
        },
        repack: layout.repack,
        dropShadowCopies: this.found.drops,
        scheduleChkdsk: request.scheduleChkdsk === true,
      },
      signal,
    );
    const behind = { at: request.newSizeBytes, length: volume.reader.sizeBytes - request.newSizeBytes };
    if (behind.length > 0) yield discardStep('release', 'give up what lies behind the new end', [behind]);
  }

  /** In the order of the old places. The log is not copied: its content is written anew. */
  private *copies(): Generator<VolumeCopy> {
    const { moves, clusterBytes } = this.layout;
    const log = runsOf(this.subject.log);
    for (let index = 0; index < moves.count; index++) {
      const { from, to, length } = moves.at(index);
      if (log.some((run) => holds(run, from))) continue;
      yield { from: from * clusterBytes, to: to * clusterBytes, length: length * clusterBytes };
    }
  }
}

const holds = (run: PlacedRun, lcn: number): boolean => lcn >= run.lcn && lcn < run.lcn + run.length;

function warningsOf({ drops, unowned }: Found): VolumeResize['warnings'] {
  const found = [];
  if (drops) {
    found.push({
      code: 'ntfs-shadow-copies-dropped',
      message: 'the restore points of the volume are lost, as consented',
      hint: 'their files in System Volume Information can be deleted in the guest: `vssadmin delete shadows /all`',
    });
  }
  if (unowned > 0) {
    found.push({
      code: 'ntfs-unowned-clusters',
      message: `${unowned} clusters are marked used, but no file owns them; they stay as they are`,
    });
  }
  return found;
}
