import { formatDuration, formatSize } from '../core/size.js';
import type { DiskFacts } from '../inspect/types.js';
import type { ZeroPlan } from '../plan/types.js';
import { beforeAfter, mapKey, mapOfDocument } from './disk-map.js';
import { EXIT_CODES, EXIT_DONE } from './error.js';
import { reasonLines } from './notes.js';
import { type Painter, painter } from './paint.js';
import { type PartitionDocument, partitionDocuments } from './scan-json.js';
import { wrapText } from './text-width.js';
import type { Rendered, RenderOptions } from './types.js';
import { zeroLines } from './zero-table.js';

/** A disk before or after a run: size and partitions, as in the JSON of `scan`. */
export interface LayoutDocument {
  readonly sizeBytes: number;
  readonly partitions: readonly PartitionDocument[];
}

/** What a run did beyond moving bytes, to a file beside the disk or inside a partition. */
export type RunFixup =
  | { readonly kind: string; readonly file: string; readonly message: string }
  | { readonly kind: string; readonly partition: number; readonly message: string };

/** The JSON of a run, key by key as docs/cli.md promises it. */
export interface RunResult {
  readonly formatVersion: 1;
  readonly command: 'shrink' | 'enlarge' | 'align' | 'move-extents' | 'zero' | 'resume' | 'serve';
  readonly disk: string;
  /** Null when nothing was run: nothing to do, or a dry run. */
  readonly runId: string | null;
  readonly status: 'done' | 'nothing-to-do' | 'dry-run';
  readonly before: LayoutDocument;
  readonly after: LayoutDocument;
  readonly bytesCopied: number;
  readonly bytesWritten: number;
  readonly bytesDiscarded: number;
  /** Size of the disk before less the size after; negative when it grew. */
  readonly savedBytes: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  /** The result was inspected and is what the plan promised; of a dry run: the rehearsed result. */
  readonly verified: boolean;
  readonly fixups: readonly RunFixup[];
  readonly warnings: readonly { readonly code: string; readonly message: string }[];
  /** Of `zero`, and of its resume. */
  readonly zero?: ZeroPlan;
}

/** One side of a run's result. */
export function layoutDocument(facts: DiskFacts, boundaryBytes: number): LayoutDocument {
  return { sizeBytes: facts.sizeBytes, partitions: partitionDocuments(facts, boundaryBytes) };
}

/** A run's result for a terminal. A run that ended without its promise kept is exit code 8. */
export function renderRunResult(result: RunResult, options: RenderOptions): Rendered {
  const paint = painter(options);
  const lines = [
    statusLine(result, paint),
    ...(result.status === 'nothing-to-do' ? [] : changeLines(result, options)),
    ...(result.zero === undefined ? [] : zeroLines(result.zero, paint, options)),
    ...result.fixups.map((fixup) => fixupLine(fixup, result.status, paint)),
  ].flatMap((line) => wrapText(line, options.width, '    '));
  const warnings = reasonLines(paint.warn('warning'), result.warnings, paint, options.width);
  const exitCode = result.verified ? EXIT_DONE : EXIT_CODES.verify;
  return { text: `${[...lines, ...warnings].join('\n')}\n`, exitCode };
}

function statusLine(result: RunResult, paint: Painter): string {
  const what = `${paint.strong(result.command)} ${paint.text(result.disk)}`;
  if (!result.verified) return `${what}: ${paint.bad('the result is not what was promised')}`;
  if (result.status === 'nothing-to-do') return `${what}: ${paint.good('nothing to do')}`;
  if (result.status === 'dry-run')
    return `${what}: ${paint.good('rehearsed and checked')}, nothing was changed`;
  const run = result.runId === null ? '' : ` (run ${paint.text(result.runId)})`;
  return `${what}: ${paint.good('done and verified')}${run}`;
}

function changeLines(result: RunResult, options: RenderOptions): readonly string[] {
  const maps = beforeAfter(mapOfDocument(result.before), mapOfDocument(result.after), options);
  const amounts = [
    `copied ${formatSize(result.bytesCopied)}`,
    `written ${formatSize(result.bytesWritten)}`,
    ...(result.bytesDiscarded === 0 ? [] : [`discarded ${formatSize(result.bytesDiscarded)}`]),
    sizeText(result),
    formatDuration(result.seconds),
    `peak memory ${formatSize(result.peakMemoryBytes)}`,
  ];
  return ['', ...maps.split('\n'), mapKey(options), '', amounts.join(', ')];
}

function sizeText({ savedBytes, after }: RunResult): string {
  const size = formatSize(after.sizeBytes);
  if (savedBytes > 0) return `the disk is ${formatSize(savedBytes)} smaller: ${size}`;
  if (savedBytes < 0) return `the disk is ${formatSize(-savedBytes)} larger: ${size}`;
  return `the disk stays at ${size}`;
}

function fixupLine(fixup: RunFixup, status: RunResult['status'], paint: Painter): string {
  const where = 'file' in fixup ? paint.text(fixup.file) : `partition ${fixup.partition}`;
  const title = status === 'dry-run' ? 'would fix' : 'fixed';
  return `${title} ${where}: ${paint.text(fixup.message)} ${paint.dim(`[${paint.text(fixup.kind)}]`)}`;
}
