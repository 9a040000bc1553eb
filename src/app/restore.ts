import { locate } from '../backends/registry.js';
import { conflict, interrupted, refusal, refused, VmreclaimError, verifyError } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store, StoreFile } from '../device/store.js';
import { hiddenNameOf } from '../disk/names.js';
import { openSource } from '../disk/open.js';
import { Journal } from '../execute/journal.js';
import { safetyPaths } from '../execute/safety-copy.js';
import type { Checkpoint, RunHeader, SafetyFile } from '../execute/types.js';
import { MAX_DESCRIPTOR_BYTES } from '../formats/vmdk/index.js';
import { editVmx, MAX_VMX_BYTES } from '../formats/vmx/index.js';
import { inspectDisk } from '../inspect/inspect.js';
import { findRun, type RunInFlight } from './find-run.js';
import { type OpenOptions, withDisk } from './open.js';
import { checkPossible, checkpointOf, copiesOf, readCheckpoint } from './restorable.js';

/** A run that was dropped. `restored`: the disk was put back from its safety copy. */
export interface Dropped {
  readonly disk: string;
  readonly runId: string;
  readonly restored: boolean;
}

/** The run whose work is given up. */
export interface GivenUp extends Pick<RunHeader, 'disk' | 'runId' | 'startedAt'> {
  readonly command: string;
}

/** What putting a disk back needs from outside. */
export interface RestoreServices {
  /** Asks whether to give up what the run did; false: the user said no. */
  confirm(run: GivenUp): Promise<boolean>;
  /** From here on an interruption leaves a disk that must be put back to its end. */
  onInFlight?(disk: string): void;
}

/** `restoreRun` for what the user named. */
export async function restoreTarget(
  target: string,
  options: OpenOptions,
  services: RestoreServices,
): Promise<Dropped> {
  const { store, path } = await locate(target, options.remote);
  return restoreRun(store, path, options, services);
}

/**
 * Puts the disk of a run in flight back to what it was before, from its safety copy, and drops the run. Can be stopped at any
 * moment and repeated: the checkpoint says durably, before the first byte, that the program must not go on any more; every
 * step writes whole files from copies that stay as they are; and it says that all is done before the guest may own the disk
 * again, so that nothing is put back over what the guest wrote.
 */
export async function restoreRun(
  store: Store,
  path: string,
  options: OpenOptions,
  services: RestoreServices,
): Promise<Dropped> {
  const run = await findRun(store, path, options);
  const copies = copiesOf(run);
  const obstacle = run.source.reasons.find(({ code }) => code !== 'interrupted');
  if (obstacle !== undefined) {
    throw refusal(obstacle, { path: run.source.path });
  }
  await checkPossible(store, run, copies, await checkpointOf(store, run.source.path), options);
  if (!(await services.confirm({ ...run.header, command: run.header.plan.request.command }))) {
    throw refused('declined', 'nothing was changed: the run is in flight as before');
  }
  const restoring = new Restoring(store, run, copies, options);
  return restoring.underLock(services);
}

class Restoring {
  private readonly path: string;
  private readonly hidden: string;

  constructor(
    private readonly store: Store,
    private readonly run: RunInFlight,
    private readonly copies: readonly SafetyFile[],
    private readonly options: OpenOptions,
  ) {
    this.path = run.source.path;
    this.hidden = hiddenNameOf(this.path);
  }

  /** Locks what is there of the extent files; behind a cut some may be gone, but the first never is. */
  async underLock({ onInFlight }: RestoreServices): Promise<Dropped> {
    const held: StoreFile[] = [];
    try {
      for (const copy of this.copies.filter(({ role }) => role === 'extent')) {
        const { file } = safetyPaths(this.store, this.path, copy);
        if ((await this.store.stat(file)) === undefined) continue;
        const open = await this.store.open(file, 'write');
        held.push(open);
        await open.lock();
      }
      const { runId } = this.run.header;
      const journal = await Journal.open(this.store, this.path);
      try {
        await this.throughJournal(journal, onInFlight);
      } finally {
        await journal.close().catch(() => undefined);
      }
      return { disk: this.path, runId, restored: true };
    } finally {
      await Promise.allSettled(held.map((file) => file.close()));
    }
  }

  private async throughJournal(journal: Journal, onInFlight: RestoreServices['onInFlight']): Promise<void> {
    const { runId } = journal.header;
    if (runId !== this.run.header.runId) {
      throw conflict('other-run', 'another run began on the disk meanwhile', { path: this.path });
    }
    const found = await readCheckpoint(journal);
    // Again, under the lock: another process may have gone on with the run while the question waited.
    await checkPossible(this.store, this.run, this.copies, found, this.options);
    await this.checkSameFiles(found);
    onInFlight?.(this.path);
    try {
      if (found.restore !== 'done') {
        await mark(journal, 'begun');
        await this.putBack();
        await this.checkResult();
      }
      // Read from a cache maybe: a killed process has written it, but not flushed it.
      await mark(journal, 'done');
      await this.bringDescriptorBack();
      await journal.remove();
    } catch (error) {
      throw this.repeatable(error);
    }
  }

  /** As for `resume`: a file that somebody put in the place of an extent file is not ours to overwrite. */
  private async checkSameFiles({ restore }: Checkpoint): Promise<void> {
    const { extents, plan } = this.run.header;
    let diskOffset = 0;
    for (const [index, copy] of this.copies.filter(({ role }) => role === 'extent').entries()) {
      const extent = extents[index];
      const { file } = safetyPaths(this.store, this.path, copy);
      const stat = await this.store.stat(file);
      // Behind the new end files are removed by a run, and made anew here.
      const isDropped = diskOffset > 0 && diskOffset >= plan.after.sizeBytes;
      diskOffset += extent?.sizeBytes ?? 0;
      if (stat?.inode === extent?.inode || (isDropped && (stat === undefined || restore !== undefined)))
        continue;
      throw conflict('other-file', `${copy.file} is not the file this run began on`, {
        path: file,
        hint: 'if you put a backup in its place, drop the run with: vmreclaim abandon --force',
      });
    }
  }

  /** Extent files first: no descriptor may name one that is not there. */
  private async putBack(): Promise<void> {
    for (const each of this.copies) {
      const { file, copy } = safetyPaths(this.store, this.path, each);
      if (each.role === 'extent') await this.clone(copy, file);
      // The run never changes it: it is whole, or gone.
      else if (each.role === 'change-tracking' && (await this.store.stat(file)) === undefined) {
        await this.clone(copy, file);
      } else if (each.role === 'vmx') await this.putVmxBack(file, copy);
    }
    const bytes = await this.oldDescriptor();
    if (bytes === undefined) return;
    const isHidden = (await this.store.stat(this.hidden)) !== undefined;
    await this.replace(isHidden ? this.hidden : this.path, bytes, MAX_DESCRIPTOR_BYTES);
  }

  private async clone(copy: string, file: string): Promise<void> {
    if (this.store.cloneFile === undefined) throw refused('no-reflink', 'the store cannot share blocks');
    await this.store.cloneFile(copy, file);
  }

  /** Only what the run made of it: somebody may have edited the file since, and change tracking is then theirs to settle. */
  private async putVmxBack(file: string, copy: string): Promise<void> {
    const before = await this.store.readFile(copy, MAX_VMX_BYTES);
    const now = await this.store.readFile(file, MAX_VMX_BYTES);
    const after = editVmx(before, { dropChangeTracking: true });
    if (Buffer.compare(now, after) === 0) await this.store.replaceFile(file, before);
  }

  private async oldDescriptor(): Promise<Uint8Array | undefined> {
    const descriptor = this.copies.find(({ role }) => role === 'descriptor');
    if (descriptor === undefined) return undefined;
    return this.store.readFile(safetyPaths(this.store, this.path, descriptor).copy, MAX_DESCRIPTOR_BYTES);
  }

  private async replace(path: string, bytes: Uint8Array, maxBytes: number): Promise<void> {
    if ((await this.store.stat(path)) !== undefined) {
      if (Buffer.compare(await this.store.readFile(path, maxBytes), bytes) === 0) return;
    }
    await this.store.replaceFile(path, bytes);
  }

  /** The disk must be found as the run found it: sizes, disk id, every sector of its partition tables. */
  private async checkResult(): Promise<void> {
    const { extents, facts } = this.run.header;
    const found = await openSource(this.store, this.path, this.options);
    let diskOffset = 0;
    const known = found.extents.map((extent, index) => {
      const sizeBytes = extents[index]?.sizeBytes ?? 0;
      const placed = { ...extent, sizeBytes, diskOffset };
      diskOffset += sizeBytes;
      return placed;
    });
    const source = { ...found, extents: known, sizeBytes: diskOffset };
    const { identity } = await withDisk(source, { writable: false }, (disk) => inspectDisk(disk));
    if (JSON.stringify(identity) === JSON.stringify(facts.identity)) return;
    throw verifyError('restore', 'the disk that was put back is not the one that the run began on', {
      path: this.path,
      expected: JSON.stringify(facts.identity),
      actual: JSON.stringify(identity),
      hint: 'keep the disk and the run folder as they are, and report this',
    });
  }

  private async bringDescriptorBack(): Promise<void> {
    if ((await this.store.stat(this.hidden)) === undefined) return;
    if ((await this.store.stat(this.path)) === undefined) return this.store.rename(this.hidden, this.path);
    // Somebody put one there: it must fit the disk that was put back.
    const bytes = await this.oldDescriptor();
    if (bytes !== undefined) await this.replace(this.path, bytes, MAX_DESCRIPTOR_BYTES);
    return this.store.remove(this.hidden);
  }

  /** A failure in the middle as one that is answered by doing it again. */
  private repeatable(error: unknown): VmreclaimError {
    if (error instanceof VmreclaimError && (error.family === 'verify' || error.family === 'internal')) {
      return error;
    }
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof VmreclaimError ? error.code : 'restore-stopped';
    return interrupted(code, `putting the disk back was stopped, and can be repeated: ${message}`, {
      hint: `go on with: vmreclaim abandon --restore ${shellQuote(this.path)}`,
      path: this.path,
      cause: error,
    });
  }
}

/** Durable when it returns. */
async function mark(journal: Journal, restore: 'begun' | 'done'): Promise<void> {
  const checkpoint = await readCheckpoint(journal);
  await journal.checkpoints.write({
    ...checkpoint,
    sequence: checkpoint.sequence + 1,
    started: true,
    restore,
  });
}
