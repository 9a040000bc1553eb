import { damaged } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import { BASE_BLOCK_BYTES, CELL_ALIGNMENT, CELL_HEADER_BYTES } from './layout.js';

/** Hives are read in pieces of this, of which a few are kept: the cells of a key lie close together. */
const PAGE_BYTES = 16 * 1024;
const PAGES_KEPT = 32;

/** What may be looked at in one hive: cells, and bytes of their contents. Entries that share cells make a small hive endless. */
export interface HiveBudget {
  readonly cells: number;
  readonly bytes: number;
}

/** A cell in use. */
export interface Cell {
  /** Offset of its content in the file. */
  readonly at: number;
  /** Bytes of its content. */
  readonly length: number;
}

/** The cells of a hive. Offsets are those that structures hold: they count from behind the base block. */
export class Cells {
  private readonly pages = new Map<number, Uint8Array>();
  private cellCount = 0;
  private byteCount = 0;

  constructor(
    private readonly reader: Reader,
    private readonly binsBytes: number,
    private readonly budget: HiveBudget,
  ) {}

  /** Most things of at least `size` bytes that the hive has room for: the cap of every count that it states. */
  room(size: number): number {
    return Math.floor(this.binsBytes / size);
  }

  /** The cell at an offset. Throws Damaged for what is no cell in use, or shorter than `least` bytes. */
  async cell(offset: number, what: string, least: number): Promise<Cell> {
    if (++this.cellCount > this.budget.cells) throw tooMuch(what, offset);
    if (offset % CELL_ALIGNMENT !== 0 || offset + CELL_HEADER_BYTES > this.binsBytes) {
      throw cellError(what, 'lies outside the hive', offset);
    }
    const header = await this.bytes(BASE_BLOCK_BYTES + offset, CELL_HEADER_BYTES);
    const size = -new DataView(header.buffer, header.byteOffset).getInt32(0, true);
    if (size < CELL_HEADER_BYTES + least) throw cellError(what, 'is no cell in use, or too short', offset);
    if (offset + size > this.binsBytes) throw cellError(what, 'leaves the hive', offset);
    return { at: BASE_BLOCK_BYTES + offset + CELL_HEADER_BYTES, length: size - CELL_HEADER_BYTES };
  }

  /** Bytes of a cell, from its beginning. Throws Damaged when the cell is shorter. */
  async content(cell: Cell, length: number, what: string): Promise<Uint8Array> {
    if (length > cell.length) {
      throw damaged('regf-cell', `${what} is longer than its cell`, {
        offset: cell.at,
        expected: length,
        actual: cell.length,
      });
    }
    return this.bytes(cell.at, length);
  }

  /** Bytes of the file, which the caller knows to be inside the bins. */
  async bytes(at: number, length: number): Promise<Uint8Array> {
    this.byteCount += length;
    if (this.byteCount > this.budget.bytes) throw tooMuch('its contents', at - BASE_BLOCK_BYTES);
    const target = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const index = Math.floor((at + done) / PAGE_BYTES);
      const page = await this.page(index);
      const from = at + done - index * PAGE_BYTES;
      const part = page.subarray(from, from + length - done);
      target.set(part, done);
      done += part.length;
    }
    return target;
  }

  private async page(index: number): Promise<Uint8Array> {
    const found = this.pages.get(index);
    if (found !== undefined) {
      this.pages.delete(index);
      this.pages.set(index, found);
      return found;
    }
    const end = BASE_BLOCK_BYTES + this.binsBytes;
    const at = index * PAGE_BYTES;
    const page = await this.reader.readAt(at, Math.min(PAGE_BYTES, end - at));
    this.pages.set(index, page);
    const [oldest] = this.pages.keys();
    if (this.pages.size > PAGES_KEPT && oldest !== undefined) this.pages.delete(oldest);
    return page;
  }
}

const tooMuch = (what: string, offset: number) =>
  damaged('regf-too-much', `the registry hive makes one read more than it should: ${what}`, {
    offset: BASE_BLOCK_BYTES + offset,
  });

const cellError = (what: string, problem: string, offset: number) =>
  damaged('regf-cell', `${what} ${problem}`, { offset: BASE_BLOCK_BYTES + offset });
