import { datastoresOf } from '../app/datastores.js';
import { scanTargets } from '../app/scan.js';
import { usageError } from '../core/errors.js';
import { toJson } from '../report/json.js';
import { scanExitCode } from '../report/scan-check.js';
import { type ScanInput, type ScanSort, scanDocument, withRecommendations } from '../report/scan-json.js';
import { renderScanTable } from '../report/scan-table.js';
import { adviser, profileOf } from './adviser.js';
import type { ScanFlags } from './options.js';
import { startProgress } from './progress.js';
import { recordScan } from './record.js';
import { openOptions } from './remote.js';
import type { Surroundings } from './surroundings.js';
import { printData, renderOptions } from './terminal.js';

const SORTS: ReadonlySet<string> = new Set<ScanSort>(['path', 'size', 'reclaimable']);

export async function runScan(targets: string[], flags: ScanFlags, around: Surroundings): Promise<void> {
  const { sort } = flags;
  if (!SORTS.has(sort))
    throw usageError('sort', `cannot sort by ${sort}`, { hint: 'path, size or reclaimable' });
  const profile = flags.profile === undefined ? undefined : await profileOf(flags);
  const progress = await startProgress(flags.progress, flags.quiet === true);
  const opening = openOptions(flags, around.signals.signal);
  const entries = await scanTargets(targets, {
    signal: around.signals.signal,
    deep: flags.deep === true,
    onProgress: (event) => progress.update(event),
    ...opening,
  }).finally(() => progress.end());
  const paths = entries.flatMap((entry) => ('facts' in entry ? [entry.facts.path] : []));
  const datastores = flags.json === true ? await datastoresOf(paths, opening) : [];
  const input: ScanInput = { entries, boundaryBytes: flags.boundary, sort: sort as ScanSort, datastores };
  const check = flags.check === true;
  const document = scanDocument(input);
  await recordScan(document.disks, flags, around);
  if (flags.json === true) {
    const failures = entries.flatMap((entry) => ('error' in entry ? [entry.error] : []));
    const recommend = profile === undefined ? undefined : await adviser(profile, flags);
    printData(toJson(recommend === undefined ? document : withRecommendations(document, recommend)), flags);
    around.setExitCode(scanExitCode(document, { check, failures }));
    return;
  }
  const options = { ...renderOptions(process.stdout, flags), check, details: flags.details === true };
  const { text, exitCode } = renderScanTable(input, options);
  printData(text, flags);
  around.setExitCode(exitCode);
}
