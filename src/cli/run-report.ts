import { datastoresOf } from '../app/datastores.js';
import { scanTargets } from '../app/scan.js';
import { usageError } from '../core/errors.js';
import { MIB } from '../core/units.js';
import { buildOverview } from '../report/overview/build.js';
import { OVERVIEW_FORMATS } from '../report/overview/render.js';
import type { Cost } from '../report/overview/types.js';
import { scanExitCode } from '../report/scan-check.js';
import { type ScanDocument, scanDocument } from '../report/scan-json.js';
import { adviser, profileOf } from './adviser.js';
import { startProgress } from './progress.js';
import { readCapped } from './read-capped.js';
import { recordScan } from './record.js';
import { openOptions } from './remote.js';
import type { ReportFlags } from './reporting-options.js';
import { runsOf } from './run-history.js';
import type { Surroundings } from './surroundings.js';
import { printData, renderOptions } from './terminal.js';

/** A disk takes 2 KiB or so: some thousands of them. Parsed JSON needs many times its text. */
const MAX_SCAN_BYTES = 8 * MIB;

/** Scans, or reads a saved scan, and reports on all of it. The exit code is that of the scan. */
export async function runReport(targets: string[], flags: ReportFlags, around: Surroundings): Promise<void> {
  checkFlags(targets, flags);
  const profile = await profileOf(flags);
  const { scan, failures } =
    flags.from === undefined ? await scanNow(targets, flags, around) : await savedScan(flags.from);
  const overview = buildOverview({
    scan,
    advise: await adviser(profile, flags),
    runs: await runsOf(new Set(scan.disks.map(({ path }) => path))),
    cost: costOf(flags),
    sort: flags.sort,
    generatedAt: new Date().toISOString(),
  });
  const render = OVERVIEW_FORMATS[flags.format ?? (flags.json === true ? 'json' : 'table')];
  printData(render(overview, renderOptions(process.stdout, flags)), flags);
  around.setExitCode(scanExitCode(scan, { check: false, failures }));
}

function checkFlags(targets: readonly string[], flags: ReportFlags): void {
  if ((targets.length === 0) === (flags.from === undefined)) {
    throw usageError('report-target', 'a report needs either targets or --from FILE');
  }
  if (flags.json === true && (flags.format ?? 'json') !== 'json') {
    throw usageError('report-format', `--json and --format ${flags.format} contradict each other`);
  }
  if (flags.currency !== undefined && flags.costPerGib === undefined) {
    throw usageError('report-currency', 'a currency says nothing without --cost-per-gib');
  }
}

function costOf({ costPerGib, currency }: ReportFlags): Cost | null {
  return costPerGib === undefined ? null : { perGib: costPerGib, currency: currency ?? null };
}

interface Scanned {
  readonly scan: ScanDocument;
  readonly failures: readonly unknown[];
}

async function scanNow(targets: string[], flags: ReportFlags, around: Surroundings): Promise<Scanned> {
  const progress = await startProgress(flags.progress, flags.quiet === true);
  const options = openOptions(flags, around.signals.signal);
  const entries = await scanTargets(targets, {
    signal: around.signals.signal,
    onProgress: (event) => progress.update(event),
    ...options,
  }).finally(() => progress.end());
  const paths = entries.flatMap((entry) => ('facts' in entry ? [entry.facts.path] : []));
  const datastores = await datastoresOf(paths, options);
  const failures = entries.flatMap((entry) => ('error' in entry ? [entry.error] : []));
  const scan = scanDocument({ entries, boundaryBytes: flags.boundary, datastores });
  await recordScan(scan.disks, flags, around);
  return { scan, failures };
}

async function savedScan(path: string): Promise<Scanned> {
  // The validator is a third of all code: loaded only for this.
  const { parseScan } = await import('../report/scan-file.js');
  return { scan: parseScan(await readScan(path)), failures: [] };
}

async function readScan(path: string): Promise<string> {
  const text = await readCapped(path, MAX_SCAN_BYTES).catch((error: unknown) => {
    throw usageError('scan-file', `the scan cannot be read: ${path}`, { cause: error });
  });
  if (text !== undefined) return text;
  throw usageError('scan-file', `${path} is too large to be a scan`, {
    hint: 'scan fewer folders at once, and report on each of the scans',
  });
}
