import { type Reason, VmreclaimError } from '../../../core/errors.js';
import type { Reader } from '../../../device/types.js';
import { checkNtfs } from '../check.js';
import { openVolume } from '../volume.js';
import { auditClusters } from './audit.js';
import { isBootCopy } from './geometry.js';

/** One result of the deep check. A note does not stand against a change. */
export interface Finding extends Reason {
  readonly severity: 'damage' | 'note';
}

/**
 * The deep check: everything checkNtfs proves (records, attribute lists, mirror, index of the root), every cluster
 * owned at most once, $Bitmap equal in both directions, the copy of the boot sector. Clusters that are marked used
 * and owned by nobody, extension records of no file and a missing copy are notes: Windows makes them and lives with them. Errors of the device
 * are thrown. Reads $MFT twice, once more for each further 512 GiB of 4 KiB clusters; at most about 20 MiB of memory.
 */
export async function checkDeep(reader: Reader, signal?: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  const sound = await collectDamage(findings, () => checkRecords(reader, findings, signal));
  if (!sound) return findings;
  await collectDamage(findings, () => checkClusters(reader, findings, signal));
  await collectDamage(findings, () => checkBackup(reader, findings));
  return findings;
}

/** True when nothing was damaged. */
async function collectDamage(findings: Finding[], check: () => Promise<void>): Promise<boolean> {
  try {
    await check();
    return true;
  } catch (error) {
    if (!(error instanceof VmreclaimError) || error.family !== 'damaged') throw error;
    findings.push({ severity: 'damage', ...error.toReason() });
    return false;
  }
}

async function checkRecords(
  reader: Reader,
  findings: Finding[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { orphans } = await checkNtfs(reader, signal);
  if (orphans === 0) return;
  findings.push({
    severity: 'note',
    code: 'ntfs-orphan-records',
    message: `${orphans} extension records are in no attribute list; they and their clusters belong to no file`,
    hint: '`chkdsk /f` in the guest deletes them',
  });
}

async function checkClusters(
  reader: Reader,
  findings: Finding[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const volume = await openVolume(reader);
  let clusters = 0;
  const visitor = {
    unowned(_lcn: number, length: number): void {
      clusters += length;
    },
  };
  await auditClusters(volume, await volume.clusterBitmap(), visitor, signal);
  if (clusters === 0) return;
  findings.push({
    severity: 'note',
    code: 'ntfs-unowned-clusters',
    message: `${clusters} clusters are marked used, but no file owns them`,
    hint: '`chkdsk /f` in the guest frees them',
  });
}

/** Windows looks in the last sector of the partition; older programs look behind the volume. */
async function checkBackup(reader: Reader, findings: Finding[]): Promise<void> {
  const { boot } = await openVolume(reader);
  const { bytesPerSector } = boot;
  const last = reader.sizeBytes - (reader.sizeBytes % bytesPerSector) - bytesPerSector;
  const primary = await reader.readAt(0, bytesPerSector);
  const backup = await reader.readAt(last, bytesPerSector);
  if (primary.every((byte, index) => byte === backup[index])) return;
  const isOurs = isBootCopy(backup, boot);
  findings.push({
    severity: 'note',
    code: isOurs ? 'ntfs-backup-boot-stale' : 'ntfs-backup-boot-missing',
    message: isOurs
      ? 'the backup boot sector differs from the boot sector'
      : 'the last sector of the partition is no backup boot sector',
    hint: '`chkdsk /f` in the guest, or any resize by this program, writes a new one',
  });
}
