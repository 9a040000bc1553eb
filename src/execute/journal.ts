import { conflict, damaged, internalError } from '../core/errors.js';
import { shellQuote } from '../core/text.js';
import type { Store, StoreFile } from '../device/store.js';
import { runFolderOf } from '../disk/names.js';
import { copiedBytes } from '../program/laws.js';
import type { Phase } from '../program/types.js';
import { parseHeader } from './header.js';
import { decodePhase, decodeRecord, encodePhase, encodeRecord, type PathMap } from './record.js';
import { CHECKPOINT_FILE_BYTES, CheckpointFile, SpillFile, spillFileBytes } from './slots.js';
import type { RunHeader, RunTotals } from './types.js';

const PROGRAM = 'program';
const CHECKPOINT = 'checkpoint';
const SPILL = 'spill';
const HEADER = 'run.json';
const NOTE = 'READ-ME-FIRST.txt';
/** In the order in which they go: without its header a folder is no run, and the rest is litter. */
const FILES = [HEADER, SPILL, CHECKPOINT, PROGRAM, NOTE] as const;
const MAX_HEADER_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 256 * 1024;
const WRITE_BYTES = 256 * 1024;
/** A phase of 4096 operations takes some 200 KiB. Longer means that this is no journal. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;

/**
 * The run journal: a folder beside the disk that holds the program, the checkpoints and the spill area. It comes
 * into force with `run.json`, which is written last and removed first.
 */
export class Journal {
  private readonly paths: PathMap;

  private constructor(
    private readonly store: Store,
    readonly folder: string,
    readonly header: RunHeader,
    readonly checkpoints: CheckpointFile,
    readonly spill: SpillFile,
    private readonly program: StoreFile,
  ) {
    this.paths = pathMap(store, store.folderOf(folder));
  }

  /** The run in flight for a disk, or undefined. Leftovers of a run that never began, or is over, are no run. */
  static async find(store: Store, diskPath: string): Promise<RunHeader | undefined> {
    const path = store.join(runFolderOf(diskPath), HEADER);
    if ((await store.stat(path)) === undefined) return undefined;
    return parseHeader(await store.readFile(path, MAX_HEADER_BYTES), path);
  }

  static async open(store: Store, diskPath: string): Promise<Journal> {
    const folder = runFolderOf(diskPath);
    const header = await Journal.find(store, diskPath);
    if (header === undefined)
      throw conflict('no-run', `no run is in flight for ${diskPath}`, { path: folder });
    const { spillBytes } = header.totals;
    const checkpoints = await openSized(store, store.join(folder, CHECKPOINT), CHECKPOINT_FILE_BYTES);
    const spill = await openSized(store, store.join(folder, SPILL), spillFileBytes(spillBytes));
    const program = await store.open(store.join(folder, PROGRAM), 'read');
    return new Journal(
      store,
      folder,
      header,
      new CheckpointFile(checkpoints),
      new SpillFile(spill, spillBytes),
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

  async close(): Promise<void> {
    await Promise.all([this.checkpoints.close(), this.spill.close(), this.program.close()]);
  }

  /** Ends the run: from now on there is none. Closes the journal. */
  async remove(): Promise<void> {
    await this.close();
    await this.store.remove(this.store.join(this.folder, HEADER));
    // The run is over with its header. What is left is litter: the next run sweeps it up if this fails.
    await removeRun(this.store, this.folder).catch(() => undefined);
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
    if (TEMPORARY.test(name)) await store.remove(store.join(folder, name));
  }
  await store.remove(folder);
}

/** Writes a journal while the program is compiled. */
export class JournalWriter {
  private readonly paths: PathMap;
  private pending: Uint8Array[] = [];
  private pendingBytes = 0;
  private offset = 0;
  private totals = { phases: 0, bytesToCopy: 0, bytesToDiscard: 0, spillBytes: 0 };

  private constructor(
    private readonly store: Store,
    private readonly folder: string,
    private readonly program: StoreFile,
  ) {
    this.paths = pathMap(store, store.folderOf(folder));
  }

  /** Starts a journal beside the disk. Conflict when a run is in flight. The caller holds the lock of the disk. */
  static async create(store: Store, diskPath: string): Promise<JournalWriter> {
    const folder = runFolderOf(diskPath);
    if ((await Journal.find(store, diskPath)) !== undefined) {
      throw conflict('run-in-flight', `an earlier run on ${diskPath} is not finished`, {
        hint: `finish it with: vmreclaim resume ${shellQuote(diskPath)}`,
      });
    }
    if ((await store.stat(folder)) !== undefined) await removeRun(store, folder);
    await store.createFolder(folder);
    return new JournalWriter(store, folder, await store.open(store.join(folder, PROGRAM), 'create'));
  }

  async append(phase: Phase): Promise<void> {
    const record = encodeRecord(encodePhase(phase, this.paths));
    if (record.length > MAX_RECORD_BYTES) throw internalError('journal', `phase "${phase.why}" is too large`);
    const copied = copiedBytes(phase);
    this.totals.phases++;
    this.totals.bytesToCopy += copied;
    for (const each of phase.operations) if (each.op === 'discard') this.totals.bytesToDiscard += each.length;
    if (phase.spill === true) this.totals.spillBytes = Math.max(this.totals.spillBytes, copied);
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
    const at = (name: string) => this.store.join(this.folder, name);
    await CheckpointFile.allocate(await this.store.open(at(CHECKPOINT), 'create'));
    await SpillFile.allocate(await this.store.open(at(SPILL), 'create'), this.totals.spillBytes);
    await this.store.replaceFile(at(NOTE), new TextEncoder().encode(note(header.disk)));
    const whole: RunHeader = { formatVersion: 1, ...header, totals: this.totals };
    await this.store.replaceFile(at(HEADER), new TextEncoder().encode(`${JSON.stringify(whole, null, 1)}\n`));
  }

  get runTotals(): RunTotals {
    return this.totals;
  }

  /** Drops what was written; for a run that will not happen. */
  async discard(): Promise<void> {
    await this.program.close().catch(() => undefined);
    await removeRun(this.store, this.folder);
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

function note(disk: string): string {
  return (
    `vmreclaim is changing the disk ${disk}, or was interrupted while it did.\n` +
    `Finish it with:\n\n    vmreclaim resume ${shellQuote(disk)}\n\n` +
    'Do not start the virtual machine and do not remove this folder before that: without it the disk cannot be made whole.\n'
  );
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

/** Reads records one after the other from a buffer that refills. */
class RecordReader {
  private buffer = new Uint8Array(0);
  private bufferAt: number;

  constructor(
    private readonly file: StoreFile,
    public offset: number,
  ) {
    this.bufferAt = offset;
  }

  /** The next record without its newline. Damaged at the end of the file. */
  async next(): Promise<Uint8Array> {
    for (;;) {
      const start = this.offset - this.bufferAt;
      const end = this.buffer.indexOf(0x0a, start);
      if (end >= 0) {
        this.offset = this.bufferAt + end + 1;
        return this.buffer.subarray(start, end);
      }
      await this.refill(this.buffer.subarray(start));
    }
  }

  private async refill(rest: Uint8Array): Promise<void> {
    const at = this.offset + rest.length;
    const length = Math.min(Math.max(READ_BYTES, rest.length), this.file.sizeBytes - at);
    if (length <= 0 || rest.length > MAX_RECORD_BYTES) {
      throw damaged('journal', 'the program in the run journal ends too early', { offset: this.offset });
    }
    const buffer = new Uint8Array(rest.length + length);
    buffer.set(rest);
    buffer.set(await this.file.readAt(at, length), rest.length);
    this.buffer = buffer;
    this.bufferAt = this.offset;
  }
}
