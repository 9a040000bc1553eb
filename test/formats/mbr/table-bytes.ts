import { entryLayout, entryOffset } from '../../../src/formats/mbr/layout.js';

/** An entry as a test writes it; CHS fields are zero unless given. */
export interface TestEntry {
  readonly slot: number;
  readonly type: number;
  readonly start: number;
  readonly count: number;
  readonly status?: number;
  /** The three bytes of the first and of the last address. */
  readonly chs?: readonly [first: readonly number[], last: readonly number[]];
}

/** A boot record with 55 AA and recognisable bytes where the boot code would be. */
export function bootRecord(entries: readonly TestEntry[], signature = 0): Uint8Array {
  const bytes = new Uint8Array(512);
  for (let i = 0; i < 0x1b8; i++) bytes[i] = (i * 7) % 251;
  const view = new DataView(bytes.buffer);
  view.setUint32(0x1b8, signature, true);
  for (const { slot, type, start, count, status, chs } of entries) {
    entryLayout.patch(bytes, entryOffset(slot), { status: status ?? 0, type, start, count });
    if (chs !== undefined) {
      bytes.set(chs[0], entryOffset(slot) + 1);
      bytes.set(chs[1], entryOffset(slot) + 5);
    }
  }
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}
