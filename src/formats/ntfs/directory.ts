import { decodeUtf16 } from '../../codec/text.js';
import { isPowerOfTwo } from '../../core/units.js';
import { undoFixups } from './fixup.js';
import {
  ATTRIBUTE_TYPE,
  ENTRY_HAS_CHILD,
  ENTRY_IS_LAST,
  FILE_NAME,
  FILE_NAME_IS_FOLDER,
  INDEX_ENTRY,
  INDEX_HEADER,
  INDEX_ROOT,
  INDX_BLOCK,
  INDX_HEADER_AT,
  MAGIC,
  NAMESPACE_DOS,
  RECORD,
} from './layout.js';
import { type FileRecord, type RecordReference, readReference } from './record.js';
import { damagedNtfs } from './remedies.js';
import type { AttributeStream } from './stream.js';
import type { NtfsVolume } from './volume.js';

/** Name of the index of file names in every directory. */
const FILE_NAME_INDEX = '$I30';
/** Levels of a B-tree. Ours: with 40 entries a block, 16 levels hold more than 2^48 files. */
const MAX_DEPTH = 16;
const BLOCK_BYTES = { min: 512, max: 65536 } as const;
/** Blocks smaller than a cluster are counted in units of this. */
const SMALL_BLOCK_UNIT = 512;
/** Nodes of a directory that are listed at the most. */
const LISTED_NODES = 256;
/** A child's VCN stands in the last eight bytes of its entry. */
const CHILD_VCN_BYTES = 8;

/** The upper-case form of a UTF-16 unit. */
export type UpCase = (unit: number) => number;

/** One entry of an index. The last one of a node has no name. */
interface Entry {
  readonly view: DataView;
  readonly at: number;
  readonly isLast: boolean;
  /** VCN of the node whose names come before this one, or undefined in a leaf. */
  readonly child: number | undefined;
}

/** The file of that name (ASCII, in any case) in the root directory, or undefined. Throws Damaged. */
export async function findInRoot(volume: NtfsVolume, name: string): Promise<FileRecord | undefined> {
  const root = await Directory.open(volume, await volume.readFile(RECORD.root));
  const reference = await root.find(name);
  return reference === undefined ? undefined : volume.readReferenced(reference);
}

/** The index of one directory: a B-tree of names. */
export class Directory {
  private constructor(
    private readonly volume: NtfsVolume,
    private readonly name: string,
    private readonly root: Entry[],
    private readonly blockBytes: number,
    private readonly blocks: AttributeStream | undefined,
  ) {}

  /** Opens the index of a directory's record. Throws Damaged when it has none. */
  static async open(volume: NtfsVolume, record: FileRecord): Promise<Directory> {
    const name = `index of ${record.name}`;
    const stream = await volume.openStream(record, ATTRIBUTE_TYPE.indexRoot, FILE_NAME_INDEX);
    if (stream === undefined) throw record.error('directory has no index');
    if (!stream.isResident) throw record.error('index root should be resident');
    const bytes = await stream.readAt(0, stream.sizeBytes);
    const { blockBytes } = INDEX_ROOT.decode(bytes);
    if (!isPowerOfTwo(blockBytes) || blockBytes < BLOCK_BYTES.min || blockBytes > BLOCK_BYTES.max) {
      throw indexError(name, 'impossible block size', record.offset);
    }
    const root = decodeEntries(bytes, INDEX_ROOT.size, name, record.offset);
    const blocks = await volume.openStream(record, ATTRIBUTE_TYPE.indexAllocation, FILE_NAME_INDEX);
    return new Directory(volume, name, root, blockBytes, blocks);
  }

  /**
   * The file of that name, or undefined. Letter case is ignored as `upCase` says, which is the volume's own
   * ($UpCase); without it `name` is ASCII, with which the order of the tree does not depend on that table.
   */
  async find(name: string, upCase: UpCase = asciiUpCase): Promise<RecordReference | undefined> {
    for await (const reference of this.findAll(name, upCase)) return reference;
    return undefined;
  }

  /** Every file of that name: programs that know letter case can make several, which differ in nothing else. */
  async *findAll(name: string, upCase: UpCase = asciiUpCase): AsyncGenerator<RecordReference> {
    const wanted = Array.from({ length: name.length }, (_, index) => upCase(name.charCodeAt(index)));
    yield* this.matches(this.root, (entry) => compareNames(entry, wanted, upCase), 0);
  }

  /** Names that are equal but for case lie side by side in the order of the tree, not always in one node. */
  private async *matches(
    entries: readonly Entry[],
    order: (entry: Entry) => number,
    depth: number,
  ): AsyncGenerator<RecordReference> {
    if (depth === MAX_DEPTH) throw indexError(this.name, 'too many levels');
    for (const entry of entries) {
      const place = entry.isLast ? 1 : order(entry);
      if (place < 0) continue;
      if (entry.child !== undefined) yield* this.matches(await this.readNode(entry.child), order, depth + 1);
      if (place > 0) return;
      yield readReference(entry.view, entry.at + INDEX_ENTRY.file);
    }
  }

  /** Names of the folders in it, long ones where there are two; those of the first nodes, some ten thousand names. */
  async folders(): Promise<string[]> {
    const names = folderNames(this.root);
    const waiting = children(this.root).reverse();
    for (let count = 0; count < LISTED_NODES; count++) {
      const vcn = waiting.pop();
      if (vcn === undefined) break;
      const entries = await this.readNode(vcn);
      names.push(...folderNames(entries));
      waiting.push(...children(entries));
    }
    return names;
  }

  /** Reads every node that the root leads to. Throws Damaged at the first that is not one. */
  async checkNodes(signal?: AbortSignal): Promise<void> {
    const waiting = children(this.root);
    const known = new Set(waiting);
    for (let vcn = waiting.pop(); vcn !== undefined; vcn = waiting.pop()) {
      for (const child of children(await this.readNode(vcn, signal))) {
        if (known.has(child))
          throw indexError(this.name, 'two nodes lead to the same one', undefined, `VCN ${child}`);
        known.add(child);
        waiting.push(child);
      }
    }
  }

  private async readNode(vcn: number, signal?: AbortSignal): Promise<Entry[]> {
    const { clusterBytes } = this.volume;
    const at = vcn * (this.blockBytes < clusterBytes ? SMALL_BLOCK_UNIT : clusterBytes);
    if (this.blocks === undefined || at + this.blockBytes > this.blocks.sizeBytes) {
      throw indexError(this.name, 'a node lies behind the end', undefined, `VCN ${vcn}`);
    }
    const bytes = await this.blocks.readAt(at, this.blockBytes, signal);
    const offset = this.blocks.locate(at);
    const { magic } = INDX_BLOCK.decode(bytes);
    if (magic !== MAGIC.INDX) throw indexError(this.name, 'a node is no INDX block', offset);
    undoFixups(bytes, this.name, offset);
    const header = INDX_BLOCK.decode(bytes);
    if (header.vcn !== vcn) throw indexError(this.name, 'a node is another one', offset, `VCN ${header.vcn}`);
    return decodeEntries(bytes, INDX_HEADER_AT, this.name, offset);
  }
}

function indexError(name: string, what: string, offset?: number, actual?: string) {
  return damagedNtfs('ntfs-index', `${name}: ${what}`, {
    ...(offset === undefined ? {} : { offset }),
    ...(actual === undefined ? {} : { actual }),
  });
}

function folderNames(entries: readonly Entry[]): string[] {
  return entries.flatMap(({ view, at, isLast }) => {
    if (isLast) return [];
    const key = at + INDEX_ENTRY.key;
    const isFolder = (view.getUint32(key + FILE_NAME.flags, true) & FILE_NAME_IS_FOLDER) !== 0;
    if (!isFolder || view.getUint8(key + FILE_NAME.namespace) === NAMESPACE_DOS) return [];
    const length = view.getUint8(key + FILE_NAME.nameLength) * 2;
    return [decodeUtf16(new Uint8Array(view.buffer, view.byteOffset + key + FILE_NAME.name, length))];
  });
}

const children = (entries: Entry[]): number[] =>
  entries.flatMap((entry) => (entry.child === undefined ? [] : [entry.child]));

/** The entries behind the index header at `headerAt`. Throws Damaged when one leaves the node. */
function decodeEntries(bytes: Uint8Array, headerAt: number, name: string, offset: number): Entry[] {
  const { firstEntry, bytesInUse } = INDEX_HEADER.decode(bytes, headerAt);
  const end = headerAt + bytesInUse;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (end > bytes.length) throw indexError(name, 'entries leave their node', offset);
  const entries: Entry[] = [];
  for (let at = headerAt + firstEntry; ; ) {
    const length = at + INDEX_ENTRY.headerBytes <= end ? view.getUint16(at + INDEX_ENTRY.length, true) : 0;
    if (length < INDEX_ENTRY.headerBytes || length % 8 !== 0 || at + length > end) {
      throw indexError(name, 'entries leave their node', offset);
    }
    const entry = decodeEntry(view, at, length);
    if (entry === undefined) throw indexError(name, 'impossible entry', offset + at);
    entries.push(entry);
    if (entry.isLast) return entries;
    at += length;
  }
}

/** Undefined when name or child do not fit into the entry. */
function decodeEntry(view: DataView, at: number, length: number): Entry | undefined {
  const flags = view.getUint16(at + INDEX_ENTRY.flags, true);
  const isLast = (flags & ENTRY_IS_LAST) !== 0;
  const hasChild = (flags & ENTRY_HAS_CHILD) !== 0;
  const childAt = length - (hasChild ? CHILD_VCN_BYTES : 0);
  if (childAt < INDEX_ENTRY.headerBytes) return undefined;
  if (!isLast && !nameFits(view, at, childAt)) return undefined;
  const child = hasChild ? readVcn(view, at + childAt) : undefined;
  return { view, at, isLast, child };
}

function nameFits(view: DataView, at: number, end: number): boolean {
  const nameAt = INDEX_ENTRY.key + FILE_NAME.name;
  return nameAt <= end && nameAt + view.getUint8(at + INDEX_ENTRY.key + FILE_NAME.nameLength) * 2 <= end;
}

/** Unsigned; what is beyond 2^53 is behind the end of every index. */
const readVcn = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

/** Order of an entry's name and `wanted`, which is in upper case, as UTF-16 units. */
function compareNames(entry: Entry, wanted: readonly number[], upCase: UpCase): number {
  const nameAt = entry.at + INDEX_ENTRY.key + FILE_NAME.name;
  const length = entry.view.getUint8(entry.at + INDEX_ENTRY.key + FILE_NAME.nameLength);
  for (let index = 0; index < Math.min(length, wanted.length); index++) {
    const unit = upCase(entry.view.getUint16(nameAt + index * 2, true));
    const difference = unit - (wanted[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return length - wanted.length;
}

const asciiUpCase: UpCase = (unit) => (unit >= 0x61 && unit <= 0x7a ? unit - 0x20 : unit);
