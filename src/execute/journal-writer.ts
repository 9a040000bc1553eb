import { conflict, internalError } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store, StoreFile } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import { copiedBytes } from '../program/laws.js';
import type { Phase } from '../program/types.js';
import { sharedBytesOf } from './clone.js';
import { Journal } from './journal.js';
import { noteFor, wayBack } from './note.js';
import { isLeftover, type Place, placeOf, pointerBytes } from './pointer.js';
import { encodePhase, encodeRecord, type PathMap } from './record.js';
import { MAX_RECORD_BYTES } from './record-reader.js';
import { CHECKPOINT, DONE, dropRun, HEADER, NOTE, PROGRAM, pathMap, removeRun, SPILL } from './run-folder.js';
import { CheckpointFile, SpillFile } from './slots.js';
import type { RunHeader, RunTotals } from './types.js';

const WRITE_BYTES = 256 * 1024;

/** Writes a journal while the program is compiled. */
export class JournalWriter {
  private readonly paths: PathMap;
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private offset = 0;
  private totals = { phases: 0, bytesToCopy: 0, bytesToDiscard: 0, spillBytes: 0, sharedBytes: 0 };

  private constructor(
    private readonly store: Store,
    private readonly diskPath: string,
    private readonly place: Place,
    private readonly program: StoreFile,
  ) {
    this.paths = pathMap(store, store.folderOf(diskPath));
  }

  /** Starts a journal, beside the disk or in the room for it. Conflict when a run is in flight. The caller holds the lock of the disk. */
  static async create(store: Store, diskPath: string): Promise<JournalWriter> {
    const folder = runFolderOf(diskPath);
    if ((await Journal.find(store, diskPath)) !== undefined) {
      throw conflict('run-in-flight', `an earlier run on ${diskPath} is not finished`, {
        hint: `finish it with: vmreclaim resume ${shellQuote(diskPath)}`,
      });
    }
    if ((await store.stat(folder)) !== undefined) await removeRun(store, folder);
    const place = placeOf(store, diskPath);
    if (place.store !== store) await clearPlace(place);
    await store.createFolder(folder);
    if (place.store !== store) await place.store.createFolder(place.folder);
    const program = await place.store.open(place.store.join(place.folder, PROGRAM), 'create');
    return new JournalWriter(store, diskPath, place, program);
  }

  async append(phase: Phase): Promise<void> {
    const record = encodeRecord(encodePhase(phase, this.paths));
    if (record.length > MAX_RECORD_BYTES) throw internalError('journal', `phase "${phase.why}" is too large`);
    const copied = copiedBytes(phase);
    this.totals.phases++;
    this.totals.bytesToCopy += copied;
    for (const each of phase.operations) if (each.op === 'discard') this.totals.bytesToDiscard += each.length;
    if (phase.spill === true) this.totals.spillBytes = Math.max(this.totals.spillBytes, copied);
    this.totals.sharedBytes = Math.max(this.totals.sharedBytes, sharedBytesOf(phase));
    this.pending.push(record);
    this.pendingBytes += record.length;
    if (this.pendingBytes >= WRITE_BYTES) await this.drain();
  }

  /**
   * Makes the program durable, sets room for checkpoints and spill aside, and puts the run in force. Whatever the
   * store lacks shows here, before the disk is touched. Returns the header as it would be read back.
   */
  async seal(header: Omit<RunHeader, 'formatVersion' | 'totals'>): Promise<RunHeader> {
    await this.drain();
    await this.program.flush();
    await this.program.close();
    const { store: keeper, folder } = this.place;
    const at = (name: string) => keeper.join(folder, name);
    await CheckpointFile.allocate(await keeper.open(at(CHECKPOINT), 'create'));
    await SpillFile.allocate(await keeper.open(at(SPILL), 'create'), this.totals.spillBytes);
    const beside = (name: string) => this.store.join(runFolderOf(this.diskPath), name);
    await this.store.replaceFile(beside(NOTE), new TextEncoder().encode(this.note(header)));
    const whole: RunHeader = { formatVersion: 1, ...header, totals: this.totals };
    const text = JSON.stringify(whole, null, 1);
    await keeper.replaceFile(at(HEADER), new TextEncoder().encode(`${text}\n`));
    const { journals } = this.store;
    if (journals !== undefined) {
      await this.store.replaceFile(beside(HEADER), pointerBytes(whole, journals.client, this.diskPath));
    }
    return JSON.parse(text) as RunHeader;
  }

  private note({ disk, safetyCopy }: Pick<RunHeader, 'disk' | 'safetyCopy'>): string {
    const { journals } = this.store;
    if (journals === undefined) return noteFor(disk, disk) + (safetyCopy === undefined ? '' : wayBack(disk));
    const where = `The journal is not here but on the machine ${journals.client.host}: resume it there, as the same user.\n\n`;
    return where + noteFor(disk, this.diskPath);
  }

  get runTotals(): RunTotals {
    return this.totals;
  }

  /** Drops what was written; for a run that will not happen. */
  async discard(): Promise<void> {
    await this.program.close().catch(() => undefined);
    await dropRun(this.store, this.diskPath);
  }

  private async drain(): Promise<void> {
    await this.program.resize(this.offset + this.pendingBytes);
    for (const record of this.pending) {
      await this.program.writeAt(this.offset, record);
      this.offset += record.length;
    }
    this.pending = [];
    this.pendingBytes = 0;
  }
}

/**
 * Makes room for a new journal. Conflict (pointer-gone) when the one that is there belongs to a run which may have begun
 * to change the disk: then it is all that can make the disk whole.
 */
async function clearPlace({ store, folder }: Place): Promise<void> {
  if ((await store.stat(folder)) === undefined) return;
  const path = store.join(folder, CHECKPOINT);
  const inForce = (await store.stat(store.join(folder, HEADER))) !== undefined;
  const isDone = (await store.stat(store.join(folder, DONE))) !== undefined;
  if (inForce && !isDone && !(await isLeftover(store, path))) {
    throw conflict(
      'pointer-gone',
      'a run on this disk is not finished, but its pointer beside the disk is gone',
      {
        path: folder,
        hint: 'bring the folder NAME.vmreclaim beside the disk back; if the disk was put back from a backup, remove the journal',
      },
    );
  }
  await removeRun(store, folder);
}
