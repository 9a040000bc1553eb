import { constants, createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { deviceError } from '../core/errors.js';
import { MIB } from '../core/units.js';
import { decodeLine, encodeLine, MAX_LINE_BYTES } from '../history/line.js';
import type { HistoryRecord } from '../history/types.js';

/** Runs are kept apart from scans: a scan of a thousand machines each night must not push out what was done. */
type Kind = HistoryRecord['kind'];

interface Limits {
  /** A file of this size is put aside and a new one is begun. */
  readonly fileBytes: number;
  /** Files put aside that are kept. */
  readonly files: number;
}

const LIMITS: Readonly<Record<Kind, Limits>> = {
  run: { fileBytes: 4 * MIB, files: 15 },
  scan: { fileBytes: 8 * MIB, files: 7 },
};

/** Bytes of one write: what is appended in one call is not mixed with what others append. */
const WRITE_BYTES = MIB;

const NEWLINE = 0x0a;

/** $VMRECLAIM_STATE_DIR, else vmreclaim in $XDG_STATE_HOME or ~/.local/state (XDG base directories: absolute only). */
export function stateFolder(env: NodeJS.ProcessEnv = process.env): string {
  const { VMRECLAIM_STATE_DIR, XDG_STATE_HOME } = env;
  if (VMRECLAIM_STATE_DIR) return VMRECLAIM_STATE_DIR;
  const state =
    XDG_STATE_HOME && isAbsolute(XDG_STATE_HOME) ? XDG_STATE_HOME : join(homedir(), '.local', 'state');
  return join(state, 'vmreclaim');
}

/**
 * The history: `runs.ndjson` and `scans.ndjson` in the state folder, a record a line, each with a CRC. Lines are only
 * ever appended, each in one write with O_APPEND, so that a crash can only tear the last one; the next append begins on
 * a line of its own.
 */
export class HistoryFiles {
  constructor(
    private readonly folder: string = stateFolder(),
    private readonly limits: Readonly<Record<Kind, Limits>> = LIMITS,
  ) {}

  /** Appends records of one kind, durably. Throws Device when they cannot be written. */
  async append(records: readonly HistoryRecord[]): Promise<void> {
    const [first] = records;
    if (first === undefined) return;
    const path = join(this.folder, `${first.kind}s.ndjson`);
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await this.rotate(first.kind, path);
      const { O_RDWR, O_APPEND, O_CREAT } = constants;
      const file = await open(path, O_RDWR | O_APPEND | O_CREAT, 0o600);
      try {
        await appendLines(file, records.map(encodeLine));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      throw deviceError('history', `the history cannot be written: ${path}`, { path, cause: error });
    }
  }

  /** All records of a kind, the oldest file first. Damaged lines are counted and left out; a missing history is empty. */
  async *read(kind: Kind, damaged: { lines: number }): AsyncGenerator<HistoryRecord> {
    const names = [...(await this.aside(kind)), `${kind}s.ndjson`];
    for (const name of names) {
      for await (const line of linesOf(join(this.folder, name))) {
        if (line === '') continue;
        const record = line === undefined ? undefined : decodeLine(line);
        if (record === undefined) damaged.lines++;
        else yield record;
      }
    }
  }

  /**
   * Puts a full file aside under a name that nobody else chooses. Two processes may both do so: then the second puts a
   * short file aside, and nothing is lost.
   */
  private async rotate(kind: Kind, path: string): Promise<void> {
    const { fileBytes, files } = this.limits[kind];
    const size = await stat(path).then(
      (found) => found.size,
      () => 0,
    );
    if (size < fileBytes) return;
    const stamp = new Date().toISOString().replace(/[-:.]/g, '');
    await rename(path, join(this.folder, `${kind}s-${stamp}-${process.pid}.ndjson`)).catch(
      (error: unknown) => {
        // Another process was faster: its file is as good.
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      },
    );
    const old = (await this.aside(kind)).slice(0, -files);
    for (const name of old) await unlink(join(this.folder, name)).catch(() => undefined);
  }

  private async aside(kind: Kind): Promise<string[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names.filter((name) => name.startsWith(`${kind}s-`) && name.endsWith('.ndjson')).sort();
  }
}

async function appendLines(file: FileHandle, lines: readonly string[]): Promise<void> {
  let piece = (await endsTorn(file)) ? '\n' : '';
  for (const line of lines) {
    if (piece.length + line.length > WRITE_BYTES) {
      await writeOnce(file, piece);
      piece = '';
    }
    piece += line;
  }
  await writeOnce(file, piece);
}

/** Did a crash leave a last line without its end? */
async function endsTorn(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const last = new Uint8Array(1);
  await file.read(last, 0, 1, size - 1);
  return last[0] !== NEWLINE;
}

async function writeOnce(file: FileHandle, text: string): Promise<void> {
  const bytes = Buffer.from(text);
  const { bytesWritten } = await file.write(bytes, 0, bytes.length);
  // Going on would end in the middle of what another process has appended meanwhile.
  if (bytesWritten !== bytes.length)
    throw new Error(`only ${bytesWritten} of ${bytes.length} bytes were written`);
}

/** Lines without their newline, undefined for one that is too long; nothing when the file is not there. */
async function* linesOf(path: string): AsyncGenerator<string | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || !found.isFile()) return;
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): string | undefined => {
    const line = length > MAX_LINE_BYTES ? undefined : Buffer.concat(parts).toString('utf8');
    parts = [];
    length = 0;
    return line;
  };
  const add = (part: Buffer): void => {
    length += part.length;
    // Of a line that is too long only its length is kept.
    if (length <= MAX_LINE_BYTES) parts.push(part);
    else parts = [];
  };
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    let at = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, at)) {
      add(chunk.subarray(at, end));
      yield take();
      at = end + 1;
    }
    if (at < chunk.length) add(chunk.subarray(at));
  }
  if (length > 0) yield take();
}
