import { conflict, damaged } from '../core/errors.js';
import type { Store, StoreFile } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import type { Phase } from '../program/types.js';
import { CloneFile } from './clone.js';
import { parseHeader } from './header.js';
import { elsewhere, parsePointer, placeOf } from './pointer.js';
import { decodePhase, decodeRecord, type PathMap } from './record.js';
import { RecordReader } from './record-reader.js';
import {
  CHECKPOINT,
  CLONE,
  dropRun,
  HEADER,
  markDone,
  PROGRAM,
  pathMap,
  SHIFT,
  SPILL,
} from './run-folder.js';
import { ShiftFile, type ShiftRecord } from './shift-file.js';
import { CHECKPOINT_FILE_BYTES, CheckpointFile, SpillFile, spillFileBytes } from './slots.js';
import type { RunHeader } from './types.js';

const MAX_HEADER_BYTES = 16 * 1024 * 1024;

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
    const pointer = await parsePointer(bytes);
    const room = store.journals;
    if (pointer === undefined && room === undefined) return parseHeader(bytes, path);
    if (pointer === undefined || pointer.client.id !== room?.client.id) throw elsewhere(path, pointer);
    const { store: keeper, folder } = placeOf(store, diskPath);
    const kept = keeper.join(folder, HEADER);
    if ((await keeper.stat(kept)) === undefined) throw elsewhere(path, pointer);
    const header = await parseHeader(await keeper.readFile(kept, MAX_HEADER_BYTES), kept);
    if (header.runId !== pointer.runId) throw elsewhere(path, pointer);
    return header;
  }

  /** `sealed`: the header of a run that was put in force just now, which need not be read and checked again. */
  static async open(store: Store, diskPath: string, sealed?: RunHeader): Promise<Journal> {
    const header = sealed ?? (await Journal.find(store, diskPath));
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

/** Opens a file of the run for writing. Damaged (code journal) when it is not as long as it was made. */
async function openSized(store: Store, path: string, sizeBytes: number): Promise<StoreFile> {
  const file = await store.open(path, 'write');
  if (file.sizeBytes === sizeBytes) return file;
  const actual = file.sizeBytes;
  await file.close();
  throw damaged('journal', 'a file of the run journal was cut off', { path, expected: sizeBytes, actual });
}
