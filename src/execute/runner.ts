import { conflict, damaged, internalError, interrupted } from '../core/errors.js';
import { MIB } from '../core/units.js';
import type { Store } from '../device/store.js';
import type { BlockDevice } from '../device/types.js';
import { checkLaws, readsWhatItWrites } from '../program/laws.js';
import type { Phase, ShiftOperation, Stage } from '../program/types.js';
import { applyOthers, copyAll, countPhase, gather, scatter, stream } from './apply.js';
import type { Journal, Positioned } from './journal.js';
import { carryOutShift } from './shift.js';
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

/** Copies that do not spill go through buffers of this size at least. */
const MIN_BUFFER_BYTES = 2 * MIB;

/** Where an attempt begins, and the phases whose saved bytes are in their buffers already. */
interface Start extends Counters {
  readonly phase: number;
  readonly offset: number;
  readonly restored: ReadonlySet<number>;
}

/**
 * Executes the program of a journal from its last checkpoint. A phase that spills has its sources saved in the journal
 * and flushed before its first target is written; one that does not is followed by a checkpoint. While the targets
 * of a spilling phase are written and flushed, the next one is saved already:
 *
 *     journal   save 1 | save 2           | save 3           |
 *     disk             | write 1, flush   | write 2, flush   | ...
 *
 * So a whole saved phase p means that all before p - 1 is durable, and p - 1 is too unless its own area is still
 * whole. Resuming replays p - 1, if it can, and p from the journal.
 *
 * A phase whose spill is shared has its sources in the clone, a checkpoint before it that says so, and one behind it. So
 * the clone under way is the only one, and nothing is saved ahead.
 */
export class Runner {
  /** One for each area of the spill file: the phase p uses number p mod 2. */
  private readonly buffers: readonly [Uint8Array, Uint8Array];

  constructor(
    private readonly journal: Journal,
    private readonly device: BlockDevice,
    private readonly store: Store,
    private readonly options: RunnerOptions = {},
  ) {
    const size = Math.max(MIN_BUFFER_BYTES, journal.header.totals.spillBytes);
    this.buffers = [new Uint8Array(size), new Uint8Array(size)];
  }

  /** Runs all phases up to the given stage; returns what was done since the run began, by all attempts together. */
  async runThrough(stage: 'change' | 'finish'): Promise<Counters> {
    let checkpoint = await this.lastCheckpoint();
    // It may have been read from a cache: a killed process has written it, but not flushed it.
    await this.journal.checkpoints.write(checkpoint);
    const start = await this.findStart(checkpoint);
    const saved = new Set(start.restored);
    let counters: Counters = pick(start);
    const steps = this.journal.phases(start);
    let step = await nextOf(steps);
    while (step !== undefined && !isLater(step.phase.stage, stage)) {
      this.stopWhenAsked();
      checkLaws(step.phase);
      const isFirst = !isLater('change', step.phase.stage) && !checkpoint.started;
      const isShared = step.phase.spill === 'shared';
      if (isShared && !isCloned(checkpoint, step)) await this.journal.clone.save(this.device, step.phase);
      if (isFirst || isShared || holdsShift(step.phase)) {
        // A saved phase before a shift must not be replayed any more: its targets may have moved. The clone is durable by now.
        const position = { phase: step.index, offset: step.offset, cloned: isShared || undefined };
        const started = isFirst || checkpoint.started;
        checkpoint = await this.write({ ...checkpoint, ...counters, ...position, started });
      }
      const following = await nextOf(steps);
      if (step.phase.spill === true && !saved.has(step.index)) await this.save(step, counters);
      const after = countPhase(counters, step.phase);
      await this.runBoth(
        step,
        this.canSaveAhead(step, following, saved) ? following : undefined,
        after,
        saved,
      );
      counters = after;
      if (step.phase.spill !== true) {
        const position = { phase: step.index + 1, offset: step.nextOffset, cloned: undefined };
        checkpoint = await this.write({ ...checkpoint, ...counters, ...position });
        if (isShared) await this.journal.clone.release();
      }
      this.report(step, counters);
      step = following;
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
    if ((await this.findStart(checkpoint)).restored.size > 0) {
      throw internalError('run-order', 'verified before the last checkpoint was written');
    }
    await this.write({ ...checkpoint, verified: true });
  }

  /** Writes the targets of a phase while the following one is saved. Both end before the first failure is thrown. */
  private async runBoth(
    step: Positioned,
    ahead: Positioned | undefined,
    counters: Counters,
    saved: Set<number>,
  ): Promise<void> {
    const results = await Promise.allSettled([
      this.runPhase(step),
      ahead === undefined ? undefined : this.save(ahead, counters),
    ]);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
    if (ahead !== undefined) saved.add(ahead.index);
  }

  /** The following phase may be saved early when it reads nothing that this one is writing. */
  private canSaveAhead(
    step: Positioned,
    following: Positioned | undefined,
    saved: ReadonlySet<number>,
  ): following is Positioned {
    const bothSpill = step.phase.spill === true && following?.phase.spill === true;
    return bothSpill && !saved.has(following.index) && !readsWhatItWrites(following.phase, step.phase);
  }

  private async save({ index, offset, phase }: Positioned, counters: Counters): Promise<void> {
    const bytes = await gather(this.device, phase, this.bufferOf(index));
    await this.journal.spill.save({ phase: index, offset, ...counters }, bytes);
  }

  private async runPhase({ index, phase }: Positioned): Promise<void> {
    if (phase.spill === true) await scatter(this.device, phase, this.bufferOf(index));
    else if (phase.spill === 'shared') await this.copyFromClone(phase);
    else await copyAll(this.device, phase, this.buffers);
    const [shift] = phase.operations;
    if (shift?.op === 'shift') await this.shift(index, shift);
    await applyOthers(this.device, this.store, phase);
    await this.device.flush();
  }

  private async copyFromClone(phase: Phase): Promise<void> {
    const { journal, device, buffers } = this;
    await stream(await journal.clone.sources(phase, device.sizeBytes), device, phase, buffers);
  }

  private shift(phase: number, shift: ShiftOperation): Promise<void> {
    const { journal, device, buffers } = this;
    return carryOutShift(
      { device, records: journal.shift, buffers, beforeWindow: () => this.stopWhenAsked() },
      phase,
      shift,
    );
  }

  /** Behind the last checkpoint, or at the saved phases that are newer; their bytes go into their buffers. */
  private async findStart(checkpoint: Checkpoint): Promise<Start> {
    const { spill } = this.journal;
    for (const phase of await spill.phases()) {
      if (phase < checkpoint.phase) break;
      const newest = await this.restore(phase);
      if (newest === undefined) continue;
      const before = phase > checkpoint.phase ? await this.restore(phase - 1) : undefined;
      const restored = new Set(before === undefined ? [phase] : [phase - 1, phase]);
      return { ...(before ?? newest), restored };
    }
    return { ...checkpoint, restored: new Set() };
  }

  /**
   * Reads a saved phase into its buffer and saves the same bytes again: what was read may be in a cache only, because
   * an attempt was killed before it had flushed them, and its targets are about to be written.
   */
  private async restore(phase: number): Promise<SpillRecord | undefined> {
    const buffer = this.bufferOf(phase);
    const record = await this.journal.spill.load(phase, buffer);
    if (record !== undefined) await this.journal.spill.save(record, buffer.subarray(0, record.length));
    return record;
  }

  private bufferOf(phase: number): Uint8Array {
    return this.buffers[phase % 2 === 0 ? 0 : 1];
  }

  private async lastCheckpoint(): Promise<Checkpoint> {
    const found = await this.journal.checkpoints.read();
    if (found === undefined) {
      throw damaged('journal', 'both checkpoints of the run journal are damaged', {
        path: this.journal.folder,
      });
    }
    if (found.restore !== undefined) {
      throw conflict('restoring', 'the disk is being put back from its safety copy', {
        hint: 'go on with: vmreclaim resume, or vmreclaim abandon --restore',
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

async function nextOf(steps: AsyncGenerator<Positioned>): Promise<Positioned | undefined> {
  const next = await steps.next();
  return next.done === true ? undefined : next.value;
}

/** Saved by an earlier attempt, whose checkpoint says so. */
const isCloned = (checkpoint: Checkpoint, { index }: Positioned): boolean =>
  checkpoint.cloned === true && checkpoint.phase === index;

const holdsShift = ({ operations }: Phase): boolean => operations[0]?.op === 'shift';

const ORDER: Readonly<Record<Stage, number>> = { prepare: 0, gather: 1, change: 2, finish: 3 };
const isLater = (stage: Stage, than: Stage): boolean => ORDER[stage] > ORDER[than];

const pick = ({ bytesCopied, bytesWritten, bytesDiscarded }: Counters): Counters => ({
  bytesCopied,
  bytesWritten,
  bytesDiscarded,
});
