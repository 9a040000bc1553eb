import { scanTargets } from '../app/scan.js';
import { usageError } from '../core/errors.js';
import { toJson } from '../report/json.js';
import { scanExitCode } from '../report/scan-check.js';
import { type ScanInput, type ScanSort, scanDocument } from '../report/scan-json.js';
import { renderScanTable } from '../report/scan-table.js';
import type { ScanFlags } from './options.js';
import { startProgress } from './progress.js';
import type { Surroundings } from './surroundings.js';
import { printData, renderOptions } from './terminal.js';

const SORTS: ReadonlySet<string> = new Set<ScanSort>(['path', 'size', 'reclaimable']);

export async function runScan(targets: string[], flags: ScanFlags, around: Surroundings): Promise<void> {
  const { sort } = flags;
  if (!SORTS.has(sort))
    throw usageError('sort', `cannot sort by ${sort}`, { hint: 'path, size or reclaimable' });
  const progress = await startProgress(flags.progress, flags.quiet === true);
  const entries = await scanTargets(targets, {
    signal: around.signals.signal,
    deep: flags.deep === true,
    onProgress: (event) => progress.update(event),
    ...(flags.allowOutsideExtents === true ? { allowOutsideExtents: true } : {}),
  }).finally(() => progress.end());
  const input: ScanInput = { entries, boundaryBytes: flags.boundary, sort: sort as ScanSort };
  const check = flags.check === true;
  if (flags.json === true) {
    const document = scanDocument(input);
    const failures = entries.flatMap((entry) => ('error' in entry ? [entry.error] : []));
    printData(toJson(document), flags);
    around.setExitCode(scanExitCode(document, { check, failures }));
    return;
  }
  const options = { ...renderOptions(process.stdout, flags), check, details: flags.details === true };
  const { text, exitCode } = renderScanTable(input, options);
  printData(text, flags);
  around.setExitCode(exitCode);
}
