import { usageError } from '../core/errors.js';
import { GrowthMeter } from '../history/growth.js';
import { type HistoryQuery, isWanted, Latest } from '../history/select.js';
import type { HistoryRecord, RunRecord } from '../history/types.js';
import { historyDocument, renderHistory } from '../report/history-table.js';
import { toJson } from '../report/json.js';
import { HistoryFiles } from './history-files.js';
import { recordedDisk } from './record.js';
import type { HistoryFlags } from './reporting-options.js';
import type { Surroundings } from './surroundings.js';
import { printData, renderOptions } from './terminal.js';

/** What was done to a disk, and how it looked: records of the history, oldest first. */
export async function runHistory(
  disk: string | undefined,
  flags: HistoryFlags,
  around: Surroundings,
): Promise<void> {
  const now = Date.now();
  const query: HistoryQuery = {
    scans: flags.scans === true || disk !== undefined,
    ...(disk === undefined ? {} : { disk: recordedDisk(disk) }),
    ...(flags.vm === undefined ? {} : { vm: flags.vm }),
    ...(flags.since === undefined ? {} : { since: timeOf('--since', flags.since, now, 0) }),
    ...(flags.until === undefined ? {} : { until: timeOf('--until', flags.until, now, DAY_MS) }),
  };
  const latest = new Latest<HistoryRecord>(flags.limit);
  const damaged = { lines: 0 };
  const files = new HistoryFiles();
  for (const kind of query.scans ? (['scan', 'run'] as const) : (['run'] as const)) {
    for await (const record of files.read(kind, damaged)) {
      around.signals.signal.throwIfAborted();
      if (isWanted(record, query)) latest.add(record);
    }
  }
  const document = historyDocument(latest.values(), latest.leftOut, damaged.lines);
  const options = { ...renderOptions(process.stdout, flags), details: flags.details === true };
  printData(flags.json === true ? toJson(document) : renderHistory(document, options).text, flags);
  around.setExitCode(0);
}

const HOUR_MS = 60 * 60 * 1000;
const DAY_MS = 24 * HOUR_MS;
const AGO_MS: Readonly<Record<string, number>> = { h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

/** `2026-11-23` (UTC; the end of that day for --until), an ISO time with its zone, or so long ago: `12h`, `30d`, `8w`. */
function timeOf(option: string, text: string, now: number, dayEndMs: number): string {
  const [, count, unit = ''] = /^(\d{1,6})([hdw])$/.exec(text) ?? [];
  if (count !== undefined) return new Date(now - Number(count) * (AGO_MS[unit] ?? 0)).toISOString();
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const ms = isDay || isTime ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return new Date(ms + (isDay ? dayEndMs : 0)).toISOString();
  throw usageError('time', `${option}: ${text} is not a time`, {
    hint: 'write 2026-11-23, 2026-11-23T04:00Z, or how long ago: 12h, 30d, 8w',
  });
}

/** The runs that were done to these disks, the latest ones. Damage makes them fewer, and fails nothing. */
export async function runsOf(disks: ReadonlySet<string>): Promise<RunRecord[]> {
  const runs = new Latest<RunRecord>(MOST_RUNS);
  for await (const record of new HistoryFiles().read('run', { lines: 0 })) {
    if (record.kind === 'run' && record.status === 'done' && disks.has(record.disk))
      runs.add(withoutText(record));
  }
  return runs.values();
}

/** How fast file systems fill, from all scans in the history. */
export async function growthMeter(): Promise<GrowthMeter> {
  const meter = new GrowthMeter(Date.now());
  for await (const record of new HistoryFiles().read('scan', { lines: 0 })) {
    if (record.kind === 'scan') meter.add(record);
  }
  return meter;
}

/** More than this make no report better, and have to fit into memory. */
const MOST_RUNS = 10_000;

const withoutText = (run: RunRecord): RunRecord => ({ ...run, fixups: [], warnings: [] });
