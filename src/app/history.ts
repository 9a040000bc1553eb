import type { RecordedLayout, RunRecord, ScanRecord } from '../history/types.js';
import { errorDocument } from '../report/error.js';
import type { LayoutDocument, RunResult } from '../report/run-result.js';
import type { DiskDocument } from '../report/scan-json.js';
import type { Dropped } from './restore.js';

/** What a record says besides what happened. */
export interface RecordContext {
  /** ISO 8601 in UTC: when it began. */
  readonly at: string;
  readonly by: string;
  readonly version: string;
}

/** What every record of a run holds before anything is known of it. */
const NOTHING: Omit<RunRecord, keyof RecordContext | 'disk' | 'command' | 'seconds' | 'exitCode'> = {
  v: 1,
  kind: 'run',
  vm: null,
  runId: null,
  status: 'done',
  error: null,
  before: null,
  after: null,
  savedBytes: 0,
  bytesCopied: 0,
  bytesWritten: 0,
  bytesDiscarded: 0,
  fixups: [],
  warnings: [],
};

/** The record of a run that came to a result. */
export function runRecord(
  result: RunResult,
  vm: string | null,
  exitCode: number,
  context: RecordContext,
): RunRecord {
  const { command, disk, runId, status, savedBytes, bytesCopied, bytesWritten, bytesDiscarded, seconds } =
    result;
  return {
    ...NOTHING,
    ...context,
    disk,
    vm,
    command,
    runId,
    status,
    exitCode,
    before: recordedLayout(result.before),
    after: recordedLayout(result.after),
    savedBytes,
    bytesCopied,
    bytesWritten,
    bytesDiscarded,
    seconds,
    fixups: result.fixups.map(({ kind, message }) => ({ kind, message })),
    warnings: result.warnings.map(({ code }) => code),
  };
}

/** The record of a command that dropped a run, and put its disk back maybe. */
export function abandonRecord(
  command: string,
  { disk, runId, restored }: Dropped,
  seconds: number,
  context: RecordContext,
): RunRecord {
  const message = 'the disk was put back to what it was before the run';
  const fixups = restored ? [{ kind: 'restored', message }] : [];
  return { ...NOTHING, ...context, disk, runId, command, fixups, exitCode: 0, seconds };
}

/** The record of a run of a whole machine. */
export function machineRunRecord(
  run: Pick<RunRecord, 'disk' | 'vm' | 'runId' | 'status' | 'seconds' | 'warnings' | 'steps'>,
  context: RecordContext,
): RunRecord {
  return { ...NOTHING, ...context, ...run, command: 'run', exitCode: 0 };
}

/** The record of a run that ended with an error: refused, stopped, failed. */
export function failureRecord(
  command: string,
  disk: string,
  {
    error,
    exitCode,
    seconds,
  }: { readonly error: unknown; readonly exitCode: number; readonly seconds: number },
  context: RecordContext,
): RunRecord {
  const { code, message } = errorDocument(error).error;
  return {
    ...NOTHING,
    ...context,
    disk,
    command,
    status: 'failed',
    exitCode,
    error: { code, message },
    seconds,
  };
}

/** A record for each disk of a scan whose layout was seen. */
export function scanRecords(disks: readonly DiskDocument[], context: RecordContext): ScanRecord[] {
  return disks.map((disk) => ({
    v: 1,
    kind: 'scan',
    ...context,
    disk: disk.path,
    vm: disk.vm?.name ?? null,
    state: disk.state,
    allocatedBytes: disk.allocatedBytes,
    layout: recordedLayout(disk),
  }));
}

function recordedLayout({ sizeBytes, partitions }: LayoutDocument): RecordedLayout {
  return {
    sizeBytes,
    partitions: partitions.map(
      ({ number, kind, startLba, startBytes, sizeBytes: size, aligned, filesystem }) => ({
        number,
        kind,
        startLba,
        startBytes,
        sizeBytes: size,
        aligned,
        filesystem: filesystem?.kind ?? null,
        label: filesystem?.label ?? null,
        usedBytes: filesystem?.usedBytes ?? null,
      }),
    ),
  };
}
