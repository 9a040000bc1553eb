import type { Preview } from '../device/preview.js';
import type { Disk } from '../disk/types.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import type { DiskFacts } from '../inspect/types.js';
import type { Plan } from '../plan/types.js';
import type { ServedWrites } from './served.js';

/** Told while unused space is read: how far it came, of how much. */
export type LookProgress = (why: string, bytesRead: number, bytesToRead: number) => void;

/** What the compiler works from. The facts are those the plan was made from. */
export interface CompileInput {
  readonly disk: Disk;
  readonly facts: DiskFacts;
  readonly plan: Plan;
  /** What compiles a phase expects that the phases before it were applied to `preview.top`. */
  readonly preview: Preview;
  /** For the descriptor: chosen by the caller, so that compiling is repeatable. */
  readonly newContentId: string;
  /** For file systems that outside programs resize. */
  readonly tools?: ResizeTools;
  /** What was written to a partition while it was served. */
  readonly served?: ServedWrites;
  readonly signal?: AbortSignal;
  readonly onLook?: LookProgress;
}
