import { refused } from '../../../core/errors.js';
import type { ByteRange } from '../../../core/range.js';
import type { Reader } from '../../../device/types.js';
import type { ResizeRequest, VolumeResize, VolumeStep } from '../../types.js';
import { RECORD } from '../layout.js';
import { auditForResize } from './audit.js';
import { changeSteps } from './commit.js';
import type { PlacedRun } from './encode-pairs.js';
import { type Geometry, geometryFor, isBootCopy } from './geometry.js';
import { joinRuns, Moves } from './relocation.js';
import { NO_REPACK } from './repack.js';
import { RecordRewriter } from './rewrite.js';
import { discardStep } from './steps.js';
import { openSubject, runsOf, type Subject } from './subject.js';

/**
 * Works out an NTFS volume that fills a larger partition. No file moves: $Bitmap gets its additional clusters at
 * the beginning of the new space (they continue it where it ends there), the map of bad clusters grows, and the
 * boot sector's copy goes to the new last sector. The reader may still end where the partition ends today.
 */
export async function enlargeNtfs(
  reader: Reader,
  request: ResizeRequest,
  signal?: AbortSignal,
): Promise<VolumeResize> {
  const subject = await openSubject(reader);
  const geometry = geometryFor(subject.volume.boot, request.newSizeBytes);
  if (geometry.clusterCount < subject.volume.clusterCount) {
    throw refused('ntfs-not-larger', 'the NTFS volume is larger than that already', {
      expected: `at least ${subject.volume.boot.totalBytes} bytes`,
      actual: request.newSizeBytes,
    });
  }
  await auditForResize(subject, signal);
  const taken = newBitmapRun(subject, geometry);
  const enlarge = new Enlarge(subject, geometry, taken, request, await staleBackups(subject, geometry));
  await enlarge.prove();
  return enlarge;
}

/** The clusters that $Bitmap needs besides those it has, directly behind the old end. */
function newBitmapRun({ volume, bitmapStream }: Subject, geometry: Geometry): readonly PlacedRun[] {
  const length = geometry.bitmapClusters - bitmapStream.runs.endVcn;
  if (length <= 0) return [];
  if (volume.clusterCount + length > geometry.clusterCount) {
    throw refused('ntfs-no-space', 'the new space does not even hold the longer $Bitmap', {
      hint: 'choose a larger size',
    });
  }
  return [{ lcn: volume.clusterCount, length }];
}

/** Copies of the boot sector that the enlarged volume would hold as free space. */
async function staleBackups({ volume }: Subject, geometry: Geometry): Promise<ByteRange[]> {
  const { boot, reader } = volume;
  const places = new Set([
    boot.totalBytes,
    reader.sizeBytes - (reader.sizeBytes % boot.bytesPerSector) - boot.bytesPerSector,
  ]);
  const stale: ByteRange[] = [];
  for (const at of places) {
    const isInside =
      at >= volume.clusterCount * volume.clusterBytes && at + boot.bytesPerSector <= reader.sizeBytes;
    if (!isInside || at === geometry.backupAt) continue;
    if (isBootCopy(await reader.readAt(at, boot.bytesPerSector), boot))
      stale.push({ at, length: boot.bytesPerSector });
  }
  return stale;
}

class Enlarge implements VolumeResize {
  readonly relocatedBytes = 0;
  readonly totalBytesBefore: number;
  readonly totalBytesAfter: number;
  readonly fixups: VolumeResize['fixups'];
  readonly warnings: VolumeResize['warnings'] = [];
  private readonly bitmapRuns: readonly PlacedRun[];

  constructor(
    private readonly subject: Subject,
    private readonly geometry: Geometry,
    private readonly taken: readonly PlacedRun[],
    private readonly request: ResizeRequest,
    private readonly stale: readonly ByteRange[],
  ) {
    const { volume, bitmapStream } = subject;
    this.bitmapRuns = joinRuns([...runsOf(bitmapStream), ...taken]);
    this.totalBytesBefore = volume.boot.totalBytes;
    this.totalBytesAfter = geometry.totalBytes;
    this.fixups = [
      { kind: 'ntfs-enlarge', message: `NTFS: ${volume.clusterCount} -> ${geometry.clusterCount} clusters` },
    ];
  }

  private get layout() {
    const { geometry, bitmapRuns, subject } = this;
    return { geometry, bitmapRuns, moves: Moves.none(), clusterBytes: subject.volume.clusterBytes };
  }

  /** Throws Refused when the records of $Bitmap or $BadClus have no room for their longer runs. */
  async prove(): Promise<void> {
    const { volume } = this.subject;
    const rewriter = new RecordRewriter(this.layout, volume.clusterCount);
    for (const number of [RECORD.bitmap, RECORD.badClusters]) {
      rewriter.rewrite(await volume.readFile(number), () => {
        throw refused('ntfs-record-full', `FILE record ${number} has no room for longer runs`, {
          actual: `record ${number}`,
          hint: 'defragment the volume in the guest',
        });
      });
    }
  }

  async *steps(signal?: AbortSignal): AsyncGenerator<VolumeStep> {
    const { subject, taken, stale } = this;
    const { clusterBytes, clusterCount } = subject.volume;
    const fresh = taken.map(({ lcn, length }) => ({ at: lcn * clusterBytes, length: length * clusterBytes }));
    // The old copy of the boot sector may lie in the first of these clusters: it is zeroed with them.
    if (fresh.length > 0) yield discardStep('change', 'make room for a longer $Bitmap', fresh);
    const bitmap = {
      old: subject.bitmapStream,
      oldClusterCount: clusterCount,
      geometry: this.geometry,
      moves: Moves.none(),
      freed: [],
      taken,
      zeroedFrom: subject.bitmapStream.runs.endVcn * clusterBytes,
    };
    const scheduleChkdsk = this.request.scheduleChkdsk === true;
    yield* changeSteps(
      { subject, layout: this.layout, bitmap, repack: NO_REPACK, dropShadowCopies: false, scheduleChkdsk },
      signal,
    );
    const rest = stale.filter(
      ({ at }) => !fresh.some((range) => at >= range.at && at < range.at + range.length),
    );
    if (rest.length > 0) yield discardStep('release', 'give up the old backup boot sector', rest);
  }
}
