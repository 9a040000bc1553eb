import { damaged, internalError, interrupted } from '../core/errors.js';
import { MIB } from '../core/units.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import { checkLaws } from '../program/laws.js';
import type { Stage } from '../program/types.js';
import { applyOthers, copyAll, countPhase, gather, scatter } from './apply.js';
import type { Journal, Positioned } from './journal.js';
import type { SpillRecord } from './slots.js';
import type { Checkpoint, Counters } from './types.js';

/** Where a run stands, for a progress line. */
export interface RunProgress {
  readonly why: string;
  readonly phase: number;
  readonly phases: number;
  readonly bytesCopied: number;
  readonly bytesToCopy: number;
}

export interface RunnerOptions {
  /** Aborted: the run stops behind the phase under way, at a durable checkpoint. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RunProgress) => void;
}

/** Copies that do not spill go through a buffer of this size at least. */
const MIN_BUFFER_BYTES = 8 * MIB;

/**
 * Executes the program of a journal from its last checkpoint. The cycle of a phase:
 *
 *     [read the sources, save them in the journal, flush the journal]   only phases that spill
 *     write the targets, flush the disk
 *     write the checkpoint, flush the journal                            only phases that do not spill
 *
 * A saved spill names its phase and so is the checkpoint of everything before it: one flush less a window.
 */
export class Runner {
  private readonly buffer: Uint8Array;

  constructor(
    private readonly journal: Journal,
    private readonly device: BlockDevice,
    private readonly store: Store,
    private readonly options: RunnerOptions = {},
  ) {
    const size = Math.max(MIN_BUFFER_BYTES, journal.header.totals.spillBytes);
    this.buffer = new Uint8Array(size);
  }

  /** Runs all phases up to the given stage; returns what was done since the run began, by all attempts together. */
  async runThrough(stage: 'change' | 'finish'): Promise<Counters> {
    let checkpoint = await this.lastCheckpoint();
    let spilled = await this.journal.spill.newest(checkpoint.phase, this.buffer);
    const from = spilled ?? checkpoint;
    let counters: Counters = from;
    for await (const step of this.journal.phases(from)) {
      if (isLater(step.phase.stage, stage)) break;
      this.stopWhenAsked();
      checkLaws(step.phase);
      if (step.phase.stage !== 'prepare' && !checkpoint.started) {
        checkpoint = await this.write({
          ...checkpoint,
          phase: step.index,
          offset: step.offset,
          started: true,
        });
      }
      await this.runPhase(step, counters, spilled);
      spilled = undefined;
      counters = countPhase(counters, step.phase);
      if (step.phase.spill !== true) {
        const position = { phase: step.index + 1, offset: step.nextOffset };
        checkpoint = await this.write({ ...checkpoint, ...pick(counters), ...position });
      }
      this.report(step, counters);
    }
    return counters;
  }

  /** True when an earlier attempt got past the verification: from then on the guest may own the disk again. */
  async isVerified(): Promise<boolean> {
    return (await this.lastCheckpoint()).verified;
  }

  /** Makes the result of the verification durable; called between the two stages. */
  async markVerified(): Promise<void> {
    const checkpoint = await this.lastCheckpoint();
    const spilled = await this.journal.spill.newest(checkpoint.phase, this.buffer);
    if (spilled !== undefined)
      throw internalError('run-order', 'verified before the last checkpoint was written');
    await this.write({ ...checkpoint, verified: true });
  }

  private async runPhase(
    { index, offset, phase }: Positioned,
    counters: Counters,
    spilled: SpillRecord | undefined,
  ): Promise<void> {
    if (phase.spill === true) {
      // After a crash the buffer already holds the bytes of this phase; the disk may hold them no longer.
      if (spilled?.phase !== index) {
        const bytes = await gather(this.device, phase, this.buffer);
        await this.journal.spill.save({ phase: index, offset, ...pick(counters) }, bytes);
      }
      await scatter(this.device, phase, this.buffer);
    } else {
      await copyAll(this.device, phase, this.buffer);
    }
    await applyOthers(this.device, this.store, phase);
    await this.device.flush();
  }

  private async lastCheckpoint(): Promise<Checkpoint> {
    const found = await this.journal.checkpoints.read();
    if (found === undefined) {
      throw damaged('journal', 'both checkpoints of the run journal are damaged', {
        path: this.journal.folder,
      });
    }
    return found;
  }

  private async write(checkpoint: Checkpoint): Promise<Checkpoint> {
    const next = { ...checkpoint, sequence: checkpoint.sequence + 1 };
    await this.journal.checkpoints.write(next);
    return next;
  }

  private stopWhenAsked(): void {
    if (this.options.signal?.aborted === true) {
      throw interrupted('stopped', 'stopped as asked, at a checkpoint');
    }
  }

  private report({ index, phase }: Positioned, { bytesCopied }: Counters): void {
    const { phases, bytesToCopy } = this.journal.header.totals;
    this.options.onProgress?.({ why: phase.why, phase: index + 1, phases, bytesCopied, bytesToCopy });
  }
}

const ORDER: Readonly<Record<Stage, number>> = { prepare: 0, change: 1, finish: 2 };
const isLater = (stage: Stage, than: Stage): boolean => ORDER[stage] > ORDER[than];

const pick = ({ bytesCopied, bytesWritten, bytesDiscarded }: Counters): Counters => ({
  bytesCopied,
  bytesWritten,
  bytesDiscarded,
});
