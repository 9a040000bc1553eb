import { conflict, damaged, internalError } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store, StoreFile } from '../device/store.js';
import { RUN_HEADER_NAME, runFolderOf } from '../disk/names.js';
import { copiedBytes } from '../program/laws.js';
import type { Phase } from '../program/types.js';
import { CloneFile, sharedBytesOf } from './clone.js';
import { parseHeader } from './header.js';
import { noteFor, wayBack } from './note.js';
import { elsewhere, isLeftover, type Place, parsePointer, placeOf, pointerBytes } from './pointer.js';
import { decodePhase, decodeRecord, encodePhase, encodeRecord, type PathMap } from './record.js';
import { MAX_RECORD_BYTES, RecordReader } from './record-reader.js';
import { SAFETY_COPY } from './safety-copy.js';
import { ShiftFile, type ShiftRecord } from './shift-file.js';
import { CHECKPOINT_FILE_BYTES, CheckpointFile, SpillFile, spillFileBytes } from './slots.js';
import type { RunHeader, RunTotals } from './types.js';

const PROGRAM = 'program';
const CHECKPOINT = 'checkpoint';
const SPILL = 'spill';
const SHIFT = 'shift';
const CLONE = 'clone';
const HEADER = RUN_HEADER_NAME;
const NOTE = 'READ-ME-FIRST.txt';
const DONE = 'done';
/** In the order in which they go: without its header a folder is no run, and the rest is litter. */
const FILES = [HEADER, SPILL, CLONE, CHECKPOINT, SHIFT, PROGRAM, NOTE, DONE] as const;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const WRITE_BYTES = 256 * 1024;

/**
 * The run journal: a folder that holds the program, the checkpoints and the spill area. It lies beside the disk, and comes
 * into force with `run.json`, which is written last and removed first. Where the store of the disk has a room for journals
 * it lies there; then the `run.json` beside the disk is a pointer to it, and it is the pointer that counts.
 */
export class Journal {
  private readonly paths: PathMap;

  private constructor(
    private readonly store: Store,
    private readonly diskPath: string,
    readonly folder: string,
    readonly header: RunHeader,
    readonly checkpoints: CheckpointFile,
    readonly spill: SpillFile,
    readonly shift: ShiftFile,
    readonly clone: CloneFile,
    private readonly program: StoreFile,
  ) {
    this.paths = pathMap(store, store.folderOf(diskPath));
  }

  /**
   * The run in flight for a disk, or undefined. Leftovers of a run that never began, or is over, are no run. Conflict
   * (other-client) when its journal is on another machine.
   */
  static async find(store: Store, diskPath: string): Promise<RunHeader | undefined> {
    const path = store.join(runFolderOf(diskPath), HEADER);
    if ((await store.stat(path)) === undefined) return undefined;
    const bytes = await store.readFile(path, MAX_HEADER_BYTES);
    const pointer = parsePointer(bytes);
    const room = store.journals;
    if (pointer === undefined && room === undefined) return parseHeader(bytes, path);
    if (pointer === undefined || pointer.client.id !== room?.client.id) throw elsewhere(path, pointer);
    const { store: keeper, folder } = placeOf(store, diskPath);
    const kept = keeper.join(folder, HEADER);
    if ((await keeper.stat(kept)) === undefined) throw elsewhere(path, pointer);
    const header = parseHeader(await keeper.readFile(kept, MAX_HEADER_BYTES), kept);
    if (header.runId !== pointer.runId) throw elsewhere(path, pointer);
    return header;
  }

  static async open(store: Store, diskPath: string): Promise<Journal> {
    const header = await Journal.find(store, diskPath);
    const { store: keeper, folder } = placeOf(store, diskPath);
    if (header === undefined)
      throw conflict('no-run', `no run is in flight for ${diskPath}`, { path: folder });
    const { spillBytes } = header.totals;
    const checkpoints = await openSized(keeper, keeper.join(folder, CHECKPOINT), CHECKPOINT_FILE_BYTES);
    const spill = await openSized(keeper, keeper.join(folder, SPILL), spillFileBytes(spillBytes));
    const program = await keeper.open(keeper.join(folder, PROGRAM), 'read');
    return new Journal(
      store,
      diskPath,
      folder,
      header,
      new CheckpointFile(checkpoints),
      new SpillFile(spill, spillBytes),
      new ShiftFile(keeper, keeper.join(folder, SHIFT)),
      new CloneFile(keeper, keeper.join(folder, CLONE)),
      program,
    );
  }

  /** The phases from a position on, as they were written; Damaged when a record does not hold. */
  async *phases(from: { phase: number; offset: number }): AsyncGenerator<Positioned> {
    const { phases } = this.header.totals;
    const reader = new RecordReader(this.program, from.offset);
    for (let index = from.phase; index < phases; index++) {
      const offset = reader.offset;
      const value = decodeRecord(await reader.next());
      if (value === undefined)
        throw damaged('journal', 'the program in the run journal is damaged', { offset });
      yield { index, offset, nextOffset: reader.offset, phase: decodePhase(value, this.paths) };
    }
  }

  /** The record of the shift that is under way; undefined when the run stands elsewhere. */
  async shiftUnderWay(): Promise<ShiftRecord | undefined> {
    const checkpoint = await this.checkpoints.read();
    return checkpoint === undefined ? undefined : this.shift.read(checkpoint.phase);
  }

  async close(): Promise<void> {
    const { checkpoints, spill, clone, program } = this;
    await Promise.all([checkpoints, spill, clone, program].map((file) => file.close()));
  }

  /** Ends the run and removes its files. */
  async remove(): Promise<void> {
    await this.end();
    // What is left is litter: the next run sweeps it up if this fails.
    await this.sweep().catch(() => undefined);
  }

  /** Ends the run: from now on there is none. Closes the journal. Can be repeated when the store fails. */
  async end(): Promise<void> {
    await this.close();
    await markDone(this.store, this.diskPath);
    await this.store.remove(this.store.join(runFolderOf(this.diskPath), HEADER));
  }

  /** Removes what is left of a run that is over. Can be repeated. */
  sweep(): Promise<void> {
    return dropRun(this.store, this.diskPath);
  }
}

/** A phase with its place in the program. */
export interface Positioned {
  readonly index: number;
  readonly offset: number;
  readonly nextOffset: number;
  readonly phase: Phase;
}

/** What a crash leaves of a file that was being replaced. */
const TEMPORARY = /^\..*\.tmp$/;

/** Removes a run folder, in force or not; what is not there is fine. */
export async function removeRun(store: Store, folder: string): Promise<void> {
  for (const name of FILES) await store.remove(store.join(folder, name));
  if ((await store.stat(folder)) === undefined) return;
  for (const { name } of await store.list(folder)) {
    if (TEMPORARY.test(name) || SAFETY_COPY.test(name)) await store.remove(store.join(folder, name));
  }
  await store.remove(folder);
}

/** Removes the run of a disk: first what is beside the disk, then what is in the room for journals. */
export async function dropRun(store: Store, diskPath: string): Promise<void> {
  await removeRun(store, runFolderOf(diskPath));
  const place = placeOf(store, diskPath);
  if (place.store !== store) await removeRun(place.store, place.folder);
}

/** In a room for journals: what is left there now is litter, though the pointer to it is gone. */
async function markDone(store: Store, diskPath: string): Promise<void> {
  const { store: keeper, folder } = placeOf(store, diskPath);
  if (keeper !== store) await keeper.replaceFile(keeper.join(folder, DONE), new Uint8Array(0));
}

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
   * store lacks shows here, before the disk is touched.
   */
  async seal(header: Omit<RunHeader, 'formatVersion' | 'totals'>): Promise<void> {
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
    await keeper.replaceFile(at(HEADER), new TextEncoder().encode(`${JSON.stringify(whole, null, 1)}\n`));
    const { journals } = this.store;
    if (journals === undefined) return;
    await this.store.replaceFile(beside(HEADER), pointerBytes(whole, journals.client, this.diskPath));
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

function pathMap(store: Store, folder: string): PathMap {
  return {
    shorten: (path) => (store.folderOf(path) === folder ? store.nameOf(path) : path),
    lengthen: (name) => (store.isAbsolute(name) ? name : store.join(folder, name)),
  };
}

/** Opens a file of the run for writing. Damaged (code journal) when it is not as long as it was made. */
async function openSized(store: Store, path: string, sizeBytes: number): Promise<StoreFile> {
  const file = await store.open(path, 'write');
  if (file.sizeBytes === sizeBytes) return file;
  const actual = file.sizeBytes;
  await file.close();
  throw damaged('journal', 'a file of the run journal was cut off', { path, expected: sizeBytes, actual });
}
