/**
 * The program: what a machine executes. It knows offsets, not file systems.
 *
 * Laws (docs/architecture.md): inside a phase no target intersects any source, so a phase can be run again
 * from its beginning any number of times; a phase that cannot promise that declares `spill`, and the runner
 * saves its source bytes first.
 */
export type Operation =
  /** Bytes of the disk to another place on the disk. */
  | { readonly op: 'copy'; readonly from: number; readonly to: number; readonly length: number }
  /**
   * A stretch to the left by less than its length, by the store where it can; what it leaves reads as zeros. The only
   * operation that cannot be run again from its beginning: the runner keeps a record of how far it is.
   */
  | { readonly op: 'shift'; readonly from: number; readonly to: number; readonly length: number }
  /** A metadata patch. */
  | { readonly op: 'write'; readonly at: number; readonly bytes: Uint8Array }
  /** The content no longer matters, or is zeros: reads as zeros afterwards. */
  | { readonly op: 'discard'; readonly at: number; readonly length: number }
  /** Zeros that the store really keeps: for disks that must not run out of room later. */
  | { readonly op: 'fill'; readonly at: number; readonly length: number }
  /** New size of the disk (its flat extent files). */
  | { readonly op: 'resize'; readonly to: number }
  /** A small text file (descriptor, .vmx) from one content to another. */
  | { readonly op: 'text'; readonly file: string; readonly before: Uint8Array; readonly after: Uint8Array }
  | { readonly op: 'rename'; readonly from: string; readonly to: string }
  | { readonly op: 'remove'; readonly file: string };

/**
 * `prepare` changes no byte of the disk, and `gather` only bytes that nothing uses, so a run that got no further can be
 * dropped. `change` is everything that makes the disk what the plan promised. `finish` runs only after the result was
 * verified: it puts the descriptor back. A program has its stages in this order.
 */
export type Stage = 'prepare' | 'gather' | 'change' | 'finish';

export interface Phase {
  readonly stage: Stage;
  /** For people: the progress line, the trace. */
  readonly why: string;
  readonly operations: readonly Operation[];
  /**
   * The runner saves the source bytes of all copies before it writes the first target: in the journal; or (`shared`) in a file
   * that shares the blocks of the disk, where the store can.
   */
  readonly spill?: true | 'shared';
}

export type ShiftOperation = Extract<Operation, { op: 'shift' }>;

/** Operations on files beside the disk, as opposed to operations on the disk's bytes. */
export type FileOperation = Extract<Operation, { op: 'text' | 'rename' | 'remove' }>;
