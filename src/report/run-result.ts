import type { DiskFacts } from '../inspect/types.js';
import { EXIT_CODES, EXIT_DONE } from './error.js';
import { type PartitionDocument, partitionDocuments } from './scan-json.js';
import type { Rendered, RenderOptions } from './types.js';

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
  readonly command: 'shrink' | 'enlarge' | 'align' | 'move-extents' | 'zero' | 'resume';
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
}

/** One side of a run's result. */
export function layoutDocument(facts: DiskFacts, boundaryBytes: number): LayoutDocument {
  return { sizeBytes: facts.sizeBytes, partitions: partitionDocuments(facts, boundaryBytes) };
}

/** A run's result for a terminal. */
export function renderRunResult(result: RunResult, options: RenderOptions): Rendered {
  return {
    text: `${result.status}${options.width}\n`,
    exitCode: result.verified ? EXIT_DONE : EXIT_CODES.verify,
  };
}
