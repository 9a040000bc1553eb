import { internalError } from '../../../core/errors.js';
import { type ListEntry, MAX_ATTRIBUTE_LIST_BYTES } from '../attribute-list.js';
import { ATTRIBUTE, ATTRIBUTE_TYPE } from '../layout.js';
import { HOLE, MappingPairs } from '../mapping-pairs.js';
import type { Attribute, FileRecord } from '../record.js';
import { attributeRoom, extensionStart, newExtension, replaceAttributes } from './edit-record.js';
import { encodeList, listBytes, nonResidentList, residentList, residentListBytes } from './encode-list.js';
import type { PlacedRun } from './encode-pairs.js';
import type { FreeRecord } from './free-records.js';
import { recordFull } from './refusals.js';
import type { RecordRewriter } from './rewrite.js';
import { splitPiece, wholeLength } from './split-piece.js';
import { type Slot, type Staying, withList } from './staying.js';
import type { Subject } from './subject.js';

/** A list outside its record needs this there: header and the mapping pairs of one run. */
const LIST_HEADER_BYTES = ATTRIBUTE.nonResidentHeaderBytes + 16;

/** Where new clusters and records come from. */
export interface Supply {
  takeClusters(count: number): PlacedRun[];
  takeRecord(): Promise<FreeRecord>;
}

/** A file after it was packed anew. */
export interface RepackedFile {
  /** Records that changed or are new, unstamped, by their number. */
  readonly records: ReadonlyMap<number, Uint8Array>;
  /** Numbers of the new ones. */
  readonly added: readonly number[];
  /** Value of a list outside the base record. */
  readonly list?: { readonly value: Uint8Array; readonly runs: readonly PlacedRun[] };
  /** Clusters of a list that was there before; all of them are given up. */
  readonly freed: readonly PlacedRun[];
}

/** A piece that looks for a record. */
interface Homeless {
  readonly bytes: Uint8Array;
  readonly slot: Slot;
}

/**
 * Packs one file anew: what overflows its record goes to new extension records, in several pieces where one is too
 * small, and the attribute list tells of it. $STANDARD_INFORMATION, the list and everything resident stay where
 * they are. Throws Refused (ntfs-record-full), Damaged for a list that does not match its attributes.
 */
export class FileRepack {
  /** In the order of the list: type, name, lowest VCN. */
  private readonly slots: Slot[] = [];
  private readonly slotOf = new Map<FileRecord, (Slot | undefined)[]>();
  private readonly homeless: Homeless[] = [];
  private readonly records = new Map<number, Uint8Array>();
  private readonly added: number[] = [];
  private readonly newRoom: number;

  private constructor(
    private readonly subject: Subject,
    private readonly base: FileRecord,
    private readonly rewriter: RecordRewriter,
    private readonly supply: Supply,
  ) {
    this.newRoom = attributeRoom(base.bytes.length, extensionStart(base));
  }

  static async run(
    subject: Subject,
    file: number,
    rewriter: RecordRewriter,
    supply: Supply,
  ): Promise<RepackedFile> {
    const repack = new FileRepack(subject, await subject.volume.readFile(file), rewriter, supply);
    await repack.readSlots();
    for (const holder of repack.slotOf.keys()) if (holder !== repack.base) repack.repackExtension(holder);
    return repack.repackBase();
  }

  /** One slot for each attribute: from the list, or from the record where there is none. */
  private async readSlots(): Promise<void> {
    const { base, subject } = this;
    this.slotOf.set(base, []);
    const list = await subject.volume.attributeList(base);
    if (list === undefined) this.slotsOfBase();
    else await this.slotsOfList(list);
    for (const [holder, slots] of this.slotOf) {
      holder.attributes().forEach((attribute, index) => {
        if (slots[index] === undefined && attribute.type !== ATTRIBUTE_TYPE.attributeList)
          throw holder.error('an attribute is not in the attribute list', attribute.at);
      });
    }
  }

  private slotsOfBase(): void {
    const { base } = this;
    const reference = { record: base.number, sequence: base.sequence };
    base.attributes().forEach((attribute, index) => {
      const { type, name, lowestVcn, instance } = attribute;
      this.setSlot(base, index, { type, name, lowestVcn, instance, reference });
    });
  }

  private async slotsOfList(list: readonly ListEntry[]): Promise<void> {
    const { base } = this;
    const holders = new Map([[base.number, base]]);
    for (const entry of list) {
      const { record } = entry.reference;
      const known = holders.get(record);
      const found = await this.subject.volume.findEntry(entry, base, known);
      const holder = found.record;
      holders.set(record, holder);
      const index = holder.attributes().findIndex(({ at }) => at === found.at);
      this.setSlot(holder, index, { ...entry });
    }
  }

  private setSlot(holder: FileRecord, index: number, slot: Slot): void {
    const slots = this.slotOf.get(holder) ?? [];
    if (slots[index] !== undefined) throw holder.error('an attribute is in the attribute list twice');
    slots[index] = slot;
    this.slotOf.set(holder, slots);
    this.slots.push(slot);
  }

  /** Keeps what fits in an extension record; of the others it keeps the beginning, if there is room. */
  private repackExtension(record: FileRecord): void {
    const slots = this.slotOf.get(record) ?? [];
    const full: number[] = [];
    const indexOf = (at: number): number => record.attributes().findIndex((attribute) => attribute.at === at);
    const isChanged = this.rewriter.rewrite(record, ({ at }) => full.push(indexOf(at)));
    for (const index of full) this.splitInside(record, index, slots);
    if (isChanged || full.length > 0) this.records.set(record.number, record.bytes);
  }

  private splitInside(record: FileRecord, index: number, slots: (Slot | undefined)[]): void {
    const attributes = record.attributes();
    const attribute = attributes[index];
    const slot = slots[index];
    if (attribute === undefined || slot === undefined)
      throw internalError('ntfs-repack', 'no such attribute');
    const kept: Uint8Array[] = attributes.map((each) => record.bytes.slice(each.at, each.end));
    const others = kept.reduce((sum, each, at) => sum + (at === index ? 0 : each.length), 0);
    const room = attributeRoom(record.bytes.length, record.firstAttribute) - others;
    const runs = this.rewriter.newRuns(attribute);
    const pieces = splitPiece(attribute, runs, { first: room, others: this.newRoom });
    if (pieces === undefined) {
      this.evict(attribute, slot, runs);
      kept.splice(index, 1);
      slots.splice(index, 1);
    } else {
      const [head, ...tail] = pieces;
      if (head !== undefined) kept[index] = head.bytes;
      this.addHomeless(slot, tail);
    }
    replaceAttributes(record.bytes, kept);
  }

  /** Sends a whole attribute to new records. */
  private evict(attribute: Attribute, slot: Slot, runs: readonly PlacedRun[]): void {
    const pieces = splitPiece(attribute, runs, { first: this.newRoom, others: this.newRoom });
    const [head, ...tail] = pieces ?? [];
    if (head === undefined) throw recordFull(this.base);
    this.homeless.push({ bytes: head.bytes, slot });
    this.addHomeless(slot, tail);
  }

  /** Later pieces of the stream of `slot`: their entries follow its own. */
  private addHomeless(slot: Slot, pieces: readonly { bytes: Uint8Array; lowestVcn: number }[]): void {
    const added = pieces.map(({ bytes, lowestVcn }) => ({ bytes, slot: { ...slot, lowestVcn } }));
    this.homeless.push(...added);
    this.slots.splice(this.slots.indexOf(slot) + 1, 0, ...added.map((piece) => piece.slot));
    if (listBytes(this.slots) > MAX_ATTRIBUTE_LIST_BYTES) throw recordFull(this.base);
  }

  private async repackBase(): Promise<RepackedFile> {
    const { base } = this;
    const room = attributeRoom(base.bytes.length, base.firstAttribute);
    const staying = this.readBase();
    const used = (): number => staying.reduce((sum, { length }) => sum + length, 0);
    const needed = (): number => Math.min(residentListBytes(listBytes(this.slots)), LIST_HEADER_BYTES);
    while (used() + needed() > room) this.evictLargest(staying);
    await this.houseAll();
    const value = encodeList(this.slots);
    const isResident = used() + residentListBytes(value.length) <= room;
    const { clusterBytes } = this.subject.volume;
    const runs = isResident ? [] : this.supply.takeClusters(Math.ceil(value.length / clusterBytes));
    const instance = this.listInstance();
    const attribute = isResident
      ? residentList(value, instance)
      : nonResidentList(value.length, runs, clusterBytes, instance);
    if (used() + attribute.length > room) throw recordFull(base);
    const freed = this.oldListRuns();
    replaceAttributes(base.bytes, withList(staying, attribute));
    this.records.set(base.number, base.bytes);
    const { records, added } = this;
    return { records, added, freed, ...(isResident ? {} : { list: { value, runs } }) };
  }

  private readBase(): Staying[] {
    const slots = this.slotOf.get(this.base) ?? [];
    const found: Staying[] = [];
    this.base.attributes().forEach((attribute, index) => {
      if (attribute.type === ATTRIBUTE_TYPE.attributeList) return;
      const runs = attribute.isResident ? undefined : this.rewriter.newRuns(attribute);
      const length =
        runs === undefined || runs.length === 0 ? attribute.length : wholeLength(attribute, runs);
      found.push({ attribute, slot: slots[index], runs, length });
    });
    return found;
  }

  private evictLargest(staying: Staying[]): void {
    const movable = staying.filter(({ runs }) => runs !== undefined && runs.length > 0);
    const [first, ...others] = movable;
    if (first === undefined) throw recordFull(this.base);
    const largest = others.reduce((best, each) => (each.length > best.length ? each : best), first);
    const { attribute, slot, runs } = largest;
    if (slot === undefined || runs === undefined) throw internalError('ntfs-repack', 'no such attribute');
    staying.splice(staying.indexOf(largest), 1);
    this.evict(attribute, slot, runs);
  }

  /** Fills new records one after the other. */
  private async houseAll(): Promise<void> {
    const { homeless } = this;
    for (let from = 0; from < homeless.length; ) {
      let room = this.newRoom;
      let end = from;
      for (; end < homeless.length && (homeless[end]?.bytes.length ?? 0) <= room; end++)
        room -= homeless[end]?.bytes.length ?? 0;
      await this.house(homeless.slice(from, end));
      from = end;
    }
  }

  private async house(pieces: readonly Homeless[]): Promise<void> {
    const free = await this.supply.takeRecord();
    pieces.forEach(({ bytes, slot }, instance) => {
      new DataView(bytes.buffer).setUint16(ATTRIBUTE.instance, instance, true);
      slot.instance = instance;
      slot.reference = { record: free.number, sequence: free.sequence };
    });
    // Attributes stand in a record in the order of the list.
    const ordered = this.inListOrder(pieces);
    this.records.set(
      free.number,
      newExtension(
        this.base,
        free,
        ordered.map(({ bytes }) => bytes),
      ),
    );
    this.added.push(free.number);
  }

  private inListOrder(pieces: readonly Homeless[]): readonly Homeless[] {
    if (pieces.length === 1) return pieces;
    const bySlot = new Map(pieces.map((piece) => [piece.slot, piece]));
    return this.slots.flatMap((slot) => bySlot.get(slot) ?? []);
  }

  /** The old list's, or the first that no attribute of the base record has. */
  private listInstance(): number {
    const old = this.base.find(ATTRIBUTE_TYPE.attributeList);
    if (old !== undefined) return old.instance;
    const taken = new Set(this.base.attributes().map(({ instance }) => instance));
    let instance = Math.max(...taken) + 1;
    if (instance >= 0xffff) for (instance = 0; taken.has(instance); ) instance++;
    return instance;
  }

  private oldListRuns(): PlacedRun[] {
    const old = this.base.find(ATTRIBUTE_TYPE.attributeList);
    if (old === undefined || old.isResident) return [];
    const runs: PlacedRun[] = [];
    const pairs = new MappingPairs(this.subject.volume.clusterCount).open(old);
    while (pairs.next()) if (pairs.lcn !== HOLE) runs.push({ lcn: pairs.lcn, length: pairs.length });
    return runs;
  }
}
