import { damaged } from '../../core/errors.js';
import { MIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { readInside } from '../read.js';
import { type BaseBlock, decodeBaseBlock } from './base-block.js';
import { type Cell, Cells, type HiveBudget } from './cells.js';
import {
  BASE_BLOCK_BYTES,
  KEY_NAME_COMPRESSED,
  KEY_NODE,
  LIST_HEADER,
  LIST_OF_LISTS,
  SUBKEY_ENTRY_BYTES,
  VALUE,
} from './layout.js';
import { decodeName } from './name.js';
import { type HiveValue, readData, readValue } from './value.js';

const CELL_REFERENCE_BYTES = 4;

/** A key. Lists are read when they are asked for. */
export interface HiveKey {
  readonly name: string;
  readonly subkeyCount: number;
  readonly subkeyList: number;
  readonly valueCount: number;
  readonly valueList: number;
}

/** A few keys of a hive of Windows need some thousand cells and one MiB. */
const BUDGET: HiveBudget = { cells: 100_000, bytes: 32 * MIB };

/** A registry hive, read through bounded pages and never written: changes come back as patches of its file. */
export class Hive {
  private constructor(
    private readonly cells: Cells,
    private readonly base: BaseBlock,
  ) {}

  /** Reads the header. Throws Damaged or Unsupported, and so does everything else that would read more than the budget. */
  static async open(file: Reader, budget: HiveBudget = BUDGET): Promise<Hive> {
    const bytes = await readInside(file, 0, BASE_BLOCK_BYTES, 'the header of a registry hive');
    const base = decodeBaseBlock(bytes, file.sizeBytes);
    return new Hive(new Cells(file, base.binsBytes, budget), base);
  }

  /** Why the hive must not be patched; null when it may. See BaseBlock.dirty. */
  get dirty(): string | null {
    return this.base.dirty;
  }

  root(): Promise<HiveKey> {
    return this.key(this.base.rootCell);
  }

  /** The key at a path below the root, letter case ignored; undefined when there is none. Throws Damaged. */
  async find(...path: readonly string[]): Promise<HiveKey | undefined> {
    let key: HiveKey | undefined = await this.root();
    for (const name of path) key = key === undefined ? undefined : await this.subkey(key, name);
    return key;
  }

  /** The keys below a key, in the order of its list. Throws Damaged. */
  async *subkeys(key: HiveKey): AsyncGenerator<HiveKey> {
    if (key.subkeyCount === 0) return;
    let left = key.subkeyCount;
    for await (const reference of this.references(key.subkeyList, true)) {
      // As many as the key states: a list of lists could name the same one again and again.
      if (left-- === 0) throw damaged('regf-key', `registry key ${key.name} has more subkeys than it states`);
      yield await this.key(reference);
    }
    if (left > 0) throw damaged('regf-key', `registry key ${key.name} has fewer subkeys than it states`);
  }

  /** The values of a key. Their data is not read. Throws Damaged. */
  async values(key: HiveKey): Promise<HiveValue[]> {
    if (key.valueCount === 0) return [];
    const what = `the value list of registry key ${key.name}`;
    const bytes = key.valueCount * CELL_REFERENCE_BYTES;
    const list = await this.cells.content(await this.cells.cell(key.valueList, what, bytes), bytes, what);
    const view = new DataView(list.buffer, list.byteOffset, list.length);
    const values: HiveValue[] = [];
    for (let at = 0; at < bytes; at += CELL_REFERENCE_BYTES) {
      values.push(await readValue(this.cells, view.getUint32(at, true), this.base.minorVersion));
    }
    return values;
  }

  /** The value of that name, letter case ignored; the empty name is the default value. Throws Damaged. */
  async value(key: HiveKey, name: string): Promise<HiveValue | undefined> {
    return (await this.values(key)).find((value) => sameName(value.name, name));
  }

  /** The data of a value. Throws Damaged when it is longer than `maxBytes`. */
  data(value: HiveValue, maxBytes: number): Promise<Uint8Array> {
    return readData(this.cells, value, maxBytes);
  }

  private async subkey(key: HiveKey, name: string): Promise<HiveKey | undefined> {
    for await (const child of this.subkeys(key)) if (sameName(child.name, name)) return child;
    return undefined;
  }

  private async key(offset: number): Promise<HiveKey> {
    const cell = await this.cells.cell(offset, 'a registry key', KEY_NODE.size);
    const raw = KEY_NODE.decode(await this.cells.content(cell, KEY_NODE.size, 'a registry key'));
    const whole = KEY_NODE.size + raw.nameBytes;
    const room = this.cells.room(VALUE.size);
    if (raw.magic !== 'nk' || raw.subkeyCount > room || raw.valueCount > room) {
      throw damaged('regf-key', 'a registry key makes no sense', { offset: cell.at });
    }
    const bytes = await this.cells.content(cell, whole, 'a registry key');
    const { subkeyCount, subkeyList, valueCount, valueList } = raw;
    const name = decodeName(bytes.subarray(KEY_NODE.size), (raw.flags & KEY_NAME_COMPRESSED) !== 0);
    return { name, subkeyCount, subkeyList, valueCount, valueList };
  }

  /** The cells of a subkey list. A list of lists holds leaves only, so there is no deeper level to loop in. */
  private async *references(list: number, mayNest: boolean): AsyncGenerator<number> {
    const what = 'a registry subkey list';
    const cell = await this.cells.cell(list, what, LIST_HEADER.size);
    const { magic, count } = LIST_HEADER.decode(await this.cells.content(cell, LIST_HEADER.size, what));
    const isRoot = magic === LIST_OF_LISTS && mayNest;
    const stride = isRoot ? CELL_REFERENCE_BYTES : SUBKEY_ENTRY_BYTES[magic];
    if (stride === undefined) throw damaged('regf-key', `${what} makes no sense`, { offset: cell.at });
    const view = await this.list(cell, count * stride, what);
    for (let index = 0; index < count; index++) {
      const reference = view.getUint32(LIST_HEADER.size + index * stride, true);
      if (isRoot) yield* this.references(reference, false);
      else yield reference;
    }
  }

  private async list(cell: Cell, entriesBytes: number, what: string): Promise<DataView> {
    const bytes = await this.cells.content(cell, LIST_HEADER.size + entriesBytes, what);
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

const sameName = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase();
