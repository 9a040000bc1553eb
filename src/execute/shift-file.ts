import { damaged } from '../core/errors.js';
import { MIB } from '../core/units.js';
import type { Store } from '../device/store.js';
import type { Shift, ShiftMap } from '../device/types.js';
import { decodeRecord, encodeRecord } from './record.js';

/** How far a shift is. */
export interface ShiftRecord {
  /** Index of its phase. */
  readonly phase: number;
  readonly shift: Shift;
  /** Where the blocks of the file were before; null where the stretch is copied window by window instead. */
  readonly map: ShiftMap | null;
  /** Bytes of the stretch that are at their new place, durably; counts only without a map. */
  readonly copiedBytes: number;
}

/** As many extents as a map may have, with the longest numbers. */
const MAX_RECORD_BYTES = 8 * MIB;

/** The record of the shift that ran last: one file, replaced as a whole. */
export class ShiftFile {
  constructor(
    private readonly store: Store,
    private readonly path: string,
  ) {}

  /** The record of a phase; undefined when it has not begun. Damaged (journal) when it does not hold. */
  async read(phase: number): Promise<ShiftRecord | undefined> {
    if ((await this.store.stat(this.path)) === undefined) return undefined;
    const bytes = await this.store.readFile(this.path, MAX_RECORD_BYTES);
    const { shiftRecord } = await import('./shapes.js');
    const parsed = shiftRecord.safeParse(decodeRecord(bytes.subarray(0, -1)));
    if (!parsed.success) {
      throw damaged('journal', 'the record of a shift in the run journal is damaged', { path: this.path });
    }
    return parsed.data.phase === phase ? parsed.data : undefined;
  }

  /** Durable when it returns. */
  write(record: ShiftRecord): Promise<void> {
    return this.store.replaceFile(this.path, encodeRecord(record));
  }
}

/**
 * The size that the file of a record may have besides that of its map: between the two calls it is shorter. Undefined where
 * the stretch is copied.
 */
export function sizeWithin({ map, shift }: ShiftRecord): number | undefined {
  return map === null ? undefined : map.sizeBytes - (shift.from - shift.to);
}
