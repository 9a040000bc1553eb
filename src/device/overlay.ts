import { internalError, refused } from '../core/errors.js';
import { type ByteRange, mergeRanges } from '../core/range.js';
import { MIB } from '../core/units.js';
import { checkCopy, checkRange, checkSize } from './bounds.js';
import { PatchStore } from './patch-store.js';
import { groupPieces } from './read-groups.js';
import { type Segment, SegmentKind, segmentEnd } from './segment-chunk.js';
import { SegmentList } from './segment-list.js';
import type { BlockDevice, DeviceCapabilities } from './types.js';

const MEMORY_BYTES = 8 * MIB;
/** 19 bytes each: less than half of the memory that any command may take. */
const MAX_SEGMENTS = 2_000_000;

export interface OverlayOptions {
  readonly label?: string;
  /** Patched bytes held in memory before the rest spills; default 8 MiB. */
  readonly memoryBytes?: number;
  /**
   * Opens the file that patched bytes spill to, writable, resizable, empty. The overlay closes it; who opens
   * it removes it. Without it all patched bytes stay in memory.
   */
  readonly spill?: () => Promise<BlockDevice>;
  /**
   * A write that begins at most this many bytes behind the one before takes what lies between along, where that is as below:
   * every second record of a table is one segment then. For writes that come one after the other. Default 0.
   */
  readonly joinBytes?: number;
  /** Most segments to keep before the rehearsal is refused; default 2 million. */
  readonly maxSegments?: number;
}

/** A range that an overlay shows otherwise than the device below: bytes that were written, or zeros. */
export interface ChangedRange extends ByteRange {
  readonly zeros: boolean;
}

/** `length` bytes at `from` also to `to`. */
export interface CopyRequest {
  readonly from: number;
  readonly to: number;
  readonly length: number;
}

/**
 * A device that shows changes which were never made: the rehearsal runs on it. Reads come from the device
 * below except where something was written (patches), discarded (zeros) or copied.
 *
 * A copy is an *alias*: the target range reads from the source range of the device below, so that moving
 * 100 GB is one segment. Sources are looked up when the copy is made, so chains of copies have no length, and
 * overwriting the source later does not change the target. The device below must not change meanwhile, and
 * is neither written nor closed.
 */
export class Overlay implements BlockDevice {
  readonly label: string;
  readonly capabilities: DeviceCapabilities;
  private readonly segments = new SegmentList();
  private readonly patches: PatchStore;
  private readonly maxSegments: number;
  private readonly joinBytes: number;
  /** End of the last write. */
  private writtenTo = 0;
  private size: number;
  /** Gaps below read the device below, gaps above read zeros: its end, or where the overlay was once cut. */
  private baseEnd: number;
  private closed = false;

  constructor(
    private readonly base: BlockDevice,
    options: OverlayOptions = {},
  ) {
    this.label = options.label ?? `overlay of ${base.label}`;
    this.size = base.sizeBytes;
    this.baseEnd = base.sizeBytes;
    this.patches = new PatchStore(options.memoryBytes ?? MEMORY_BYTES, options.spill);
    this.maxSegments = options.maxSegments ?? MAX_SEGMENTS;
    this.joinBytes = options.joinBytes ?? 0;
    this.capabilities = {
      writable: true,
      durableFlush: false,
      discard: true,
      resizable: true,
      dataRanges: base.capabilities.dataRanges,
      rangeCopy: true,
    };
  }

  get sizeBytes(): number {
    return this.size;
  }

  /** Segments in use: what a rehearsal costs, 19 bytes each. */
  get segmentCount(): number {
    return this.segments.count;
  }

  async readAt(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    this.check(offset, length, 'read');
    const bytes = new Uint8Array(length);
    await this.readInto(offset, bytes, signal);
    return bytes;
  }

  async readInto(offset: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.check(offset, target.length, 'read');
    const { fromBase, patches, zeros } = groupPieces(this.pieces(offset, target.length));
    const part = ({ at, length }: ByteRange) => target.subarray(at - offset, at + length - offset);
    for (const range of fromBase) await this.base.readInto(range.source, part(range), signal);
    for (const range of zeros) part(range).fill(0);
    for (const group of patches) await this.readPatches(group, part);
  }

  /** Patches that lie one behind the other, by one read. */
  private async readPatches(
    group: readonly Segment[],
    part: (range: ByteRange) => Uint8Array,
  ): Promise<void> {
    const [first] = group;
    if (first === undefined) return;
    if (group.length === 1) return this.patches.readInto(first.source, part(first));
    const bytes = new Uint8Array(group.reduce((sum, { length }) => sum + length, 0));
    await this.patches.readInto(first.source, bytes);
    for (const segment of group) {
      const from = segment.source - first.source;
      part(segment).set(bytes.subarray(from, from + segment.length));
    }
  }

  async writeAt(offset: number, bytes: Uint8Array): Promise<void> {
    this.check(offset, bytes.length, 'write');
    if (bytes.length === 0) return;
    const own = this.ownPatch(offset, bytes.length);
    if (own !== undefined) return this.patches.write(own, bytes);
    const at = this.joinsAt(offset);
    if (at < offset) await this.patch(at, await this.base.readAt(at, offset - at));
    await this.patch(offset, bytes);
    this.checkSegmentCount();
  }

  private async patch(at: number, bytes: Uint8Array): Promise<void> {
    const source = await this.patches.append(bytes);
    this.segments.put({ at, length: bytes.length, kind: SegmentKind.patch, source });
    this.writtenTo = at + bytes.length;
  }

  /** Where a write has to begin to join the last one; its own offset when it cannot. */
  private joinsAt(offset: number): number {
    const from = this.writtenTo;
    const isNear = from < offset && offset - from <= this.joinBytes && offset <= this.baseEnd;
    return isNear && this.segments.overlapping(from, offset).length === 0 ? from : offset;
  }

  async discard(offset: number, length: number): Promise<void> {
    this.check(offset, length, 'discard');
    this.segments.clear(offset, offset + length);
    this.show({ at: offset, length, kind: SegmentKind.zero, source: 0 });
    this.checkSegmentCount();
  }

  async dataRanges(offset: number, length: number): Promise<ByteRange[]> {
    this.check(offset, length, 'data ranges');
    const found: ByteRange[] = [];
    for (const segment of this.pieces(offset, length)) {
      if (segment.kind === SegmentKind.base) await this.addBaseData(segment, found);
      else if (segment.kind !== SegmentKind.zero) found.push({ at: segment.at, length: segment.length });
    }
    return mergeRanges(found);
  }

  async copyRange(from: number, to: number, length: number): Promise<void> {
    this.check(from, length, 'copy from');
    checkCopy(this, from, to, length);
    this.copyAll([{ from, to, length }]);
  }

  /**
   * Several copies at once, as a phase with spill makes them: every source is looked up before the first
   * target changes, so sources and targets may overlap. Two targets may not.
   */
  async copyTogether(copies: readonly CopyRequest[]): Promise<void> {
    for (const { from, to, length } of copies) {
      this.check(from, length, 'copy from');
      this.check(to, length, 'copy to');
    }
    this.copyAll(copies);
  }

  async resize(sizeBytes: number): Promise<void> {
    this.check(0, 0, 'resize');
    checkSize(this, sizeBytes);
    this.segments.clear(sizeBytes, this.size);
    this.baseEnd = Math.min(this.baseEnd, sizeBytes);
    this.size = sizeBytes;
  }

  /** What was changed in [offset, offset + length), sorted. What is written over itself counts as changed. */
  changes(offset: number, length: number): ChangedRange[] {
    this.check(offset, length, 'changes');
    return this.segments.overlapping(offset, offset + length).map(({ at, length: count, kind }) => ({
      at,
      length: count,
      zeros: kind === SegmentKind.zero,
    }));
  }

  /** Nothing of an overlay is durable. */
  async flush(): Promise<void> {
    this.check(0, 0, 'flush');
  }

  /** Forgets the changes and closes the spill file; the device below stays open. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.patches.close();
  }

  private check(offset: number, length: number, doing: string): void {
    if (this.closed) throw internalError('device-closed', `${doing} on ${this.label} after close`);
    checkRange(this, offset, length, doing);
  }

  private copyAll(copies: readonly CopyRequest[]): void {
    const sources = copies.map(({ from, length }) => this.shareSources(from, length));
    for (const { to, length } of copies) this.segments.clear(to, to + length);
    for (const [i, { from, to }] of copies.entries()) {
      for (const piece of sources[i] ?? []) this.show({ ...piece, at: piece.at + to - from });
    }
    this.checkSegmentCount();
  }

  /** What the range shows; its patches are from now on shown by a copy too. */
  private shareSources(from: number, length: number): Segment[] {
    return this.pieces(from, length).map((piece) => {
      if (piece.kind !== SegmentKind.patch) return piece;
      const shared = { ...piece, kind: SegmentKind.sharedPatch };
      this.segments.put(shared);
      return shared;
    });
  }

  private checkSegmentCount(): void {
    if (this.segments.count <= this.maxSegments) return;
    throw refused('too-fragmented', `rehearsing the changes of ${this.base.label} takes too much memory`, {
      expected: `at most ${this.maxSegments} separate ranges`,
      actual: this.segments.count,
      hint: 'defragment the volume in the guest, or change one partition at a time',
    });
  }

  /** Where the range's patched bytes are, if it lies in one patch that no copy shows. */
  private ownPatch(offset: number, length: number): number | undefined {
    const [holder] = this.segments.overlapping(offset, offset + length);
    const whole = holder?.kind === SegmentKind.patch && holder.at === offset && holder.length === length;
    return whole ? holder.source : undefined;
  }

  /** The segments of the range with its gaps filled: every byte of it, in order. */
  private pieces(offset: number, length: number): Segment[] {
    const all: Segment[] = [];
    let at = offset;
    for (const segment of this.segments.overlapping(offset, offset + length)) {
      this.pushGap(all, at, segment.at);
      all.push(segment);
      at = segmentEnd(segment);
    }
    this.pushGap(all, at, offset + length);
    return all;
  }

  private pushGap(all: Segment[], at: number, end: number): void {
    const middle = Math.min(Math.max(at, this.baseEnd), end);
    if (middle > at) all.push({ at, length: middle - at, kind: SegmentKind.base, source: at });
    if (end > middle) all.push({ at: middle, length: end - middle, kind: SegmentKind.zero, source: 0 });
  }

  /** Puts a segment into a cleared range, unless the gap shows the same bytes already. */
  private show(segment: Segment): void {
    const isGap =
      segment.kind === SegmentKind.zero
        ? segment.at >= this.baseEnd
        : segment.kind === SegmentKind.base &&
          segment.source === segment.at &&
          segmentEnd(segment) <= this.baseEnd;
    if (!isGap) this.segments.put(segment);
  }

  private async addBaseData(segment: Segment, found: ByteRange[]): Promise<void> {
    const shift = segment.at - segment.source;
    for (const range of await this.base.dataRanges(segment.source, segment.length)) {
      found.push({ at: range.at + shift, length: range.length });
    }
  }
}
