import { hostname, userInfo } from 'node:os';
import { resolve } from 'node:path';
import { failureRecord, type RecordContext, scanRecords } from '../app/history.js';
import { isFamily } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { HistoryRecord, RunRecord } from '../history/types.js';
import { errorDocument, exitCodeOf } from '../report/error.js';
import { toJsonLine } from '../report/json.js';
import type { DiskDocument } from '../report/scan-json.js';
import { HistoryFiles } from './history-files.js';
import type { Surroundings } from './surroundings.js';
import { type OutputOptions, printTalk } from './terminal.js';

/** The disk as records name it: an absolute path, or the URL as it is. */
export const recordedDisk = (disk: string): string =>
  /^[a-z][a-z0-9+.-]+:\/\//i.test(disk) ? disk : resolve(disk);

/**
 * Does the work and records how it ended. What was never begun (a command line that makes no sense) leaves no record.
 * A history that cannot be written changes nothing about the run: it is a warning. `known` adds what is known of a failure.
 */
export async function recorded<T>(
  what: { readonly command: string; readonly disk: string },
  flags: OutputOptions,
  around: Surroundings,
  work: () => Promise<T>,
  describe: (value: T, context: RecordContext, seconds: number) => RunRecord,
  known: () => Partial<RunRecord> = () => ({}),
): Promise<T> {
  const began = Date.now();
  const context = contextOf(began, around);
  const seconds = () => Math.round(Date.now() - began) / 1000;
  let value: T;
  try {
    value = await work();
  } catch (error) {
    if (!isFamily(error, 'usage')) {
      const exitCode = around.signals.exitCode() ?? exitCodeOf(error);
      const how = { error, exitCode, seconds: seconds() };
      const failure = failureRecord(what.command, recordedDisk(what.disk), how, context);
      await write([{ ...failure, ...known() }], flags);
    }
    throw error;
  }
  await write([describe(value, context, seconds())], flags);
  return value;
}

/** Records what a scan found, a line for each disk. */
export async function recordScan(
  disks: readonly DiskDocument[],
  flags: OutputOptions,
  around: Surroundings,
): Promise<void> {
  await write(scanRecords(disks, contextOf(Date.now(), around)), flags);
}

function contextOf(began: number, { version }: Surroundings): RecordContext {
  return { at: new Date(began).toISOString(), by: whoRuns().by, version };
}

/** This machine, and `root@host`, or `alice as root@host` behind sudo. */
export function whoRuns(): { readonly by: string; readonly host: string } {
  const { SUDO_USER } = process.env;
  const host = hostname();
  const user = `${userName()}@${host}`;
  const by = cleanText(SUDO_USER === undefined || SUDO_USER === '' ? user : `${SUDO_USER} as ${user}`);
  return { by, host };
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A user id without a name, as in containers.
    return `uid ${process.getuid?.() ?? '?'}`;
  }
}

async function write(records: readonly HistoryRecord[], { json }: OutputOptions): Promise<void> {
  try {
    await new HistoryFiles().append(records);
  } catch (error) {
    const { code, message, cause } = errorDocument(error).error;
    const warning = { code, message: cause === undefined ? message : `${message} (${cause})` };
    printTalk(json === true ? toJsonLine({ warning }) : `warning: ${cleanText(warning.message)}\n`);
  }
}
