import type { RunProgress } from '../execute/runner.js';
import type { Plan } from '../plan/types.js';

/** What is looked at, and how far that came where it takes long. */
export interface Looking {
  readonly why: string;
  readonly bytesCopied?: number;
  readonly bytesToCopy?: number;
}

/** What the surroundings give to a use case: clock, chance, people. Tests give their own. */
export interface Services {
  readonly version: string;
  /** Milliseconds since 1970. */
  now(): number;
  /** [0, 1) */
  random(): number;
  /** Largest resident size of this process so far, in bytes. */
  peakMemoryBytes(): number;
  /** Aborted when the user asks to stop. */
  readonly signal: AbortSignal;
  /** Shows the plan and asks; false: the user said no. */
  confirm(plan: Plan): Promise<boolean>;
  onProgress(progress: RunProgress | Looking): void;
  /** From here on an interrupted run must be resumed. */
  onInFlight?(disk: string): void;
}
