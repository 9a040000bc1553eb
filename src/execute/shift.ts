import { refused } from '../core/errors.js';
import { complement, mergeRanges } from '../core/range.js';
import { MIB } from '../core/units.js';
import type { BlockDevice, Shift } from '../device/types.js';
import { vacatedBy } from '../program/shift.js';
import { copyAll } from './apply.js';
import type { ShiftFile, ShiftRecord } from './shift-file.js';

export interface ShiftTools {
  readonly device: BlockDevice;
  readonly records: ShiftFile;
  readonly buffers: readonly [Uint8Array, Uint8Array];
  /** Called where the shift can be left and taken up again later; may throw. */
  readonly beforeWindow: () => void;
}

/** Of a shift that is copied after all; each is flushed and recorded. */
const WINDOW_BYTES = 256 * MIB;

/**
 * Carries out a shift from wherever an earlier attempt left it. No law makes it repeatable, so a record says what to make of the
 * disk: with a map of its file the store does it, and the map tells how far it is; without one windows are copied,
 * none longer than the distance, so that the one under way is repeated from a source it has not touched.
 */
export async function carryOutShift(tools: ShiftTools, phase: number, shift: Shift): Promise<void> {
  const found = (await tools.records.read(phase)) ?? (await begin(tools, phase, shift));
  const rest = found.map === null ? found : await byStore(tools, shift, found);
  if (rest !== undefined) await byCopies(tools, shift, rest);
}

/** The map becomes durable before anything moves. */
async function begin({ device, records }: ShiftTools, phase: number, shift: Shift): Promise<ShiftRecord> {
  const map = (await device.shifter?.prepare(shift)) ?? null;
  const { from, to, length } = shift;
  const record = { phase, shift: { from, to, length }, map, copiedBytes: 0 };
  await records.write(record);
  return record;
}

/** Undefined when the shift is done; else the record to copy by. */
async function byStore(
  { device, records }: ShiftTools,
  shift: Shift,
  record: ShiftRecord,
): Promise<ShiftRecord | undefined> {
  if (device.shifter === undefined || record.map === null) {
    throw refused(
      'no-shift',
      'a shift of the disk by its file system was begun and can only be finished the same way',
      {
        path: device.label,
        hint: 'resume on the Linux machine that began it, with the optional module koffi (npm install --include=optional)',
      },
    );
  }
  if (await device.shifter.carryOut(shift, record.map)) return undefined;
  const copying = { ...record, map: null };
  await records.write(copying);
  return copying;
}

async function byCopies(tools: ShiftTools, shift: Shift, record: ShiftRecord): Promise<void> {
  const { device, records, buffers } = tools;
  const window = Math.min(shift.from - shift.to, WINDOW_BYTES);
  for (let done = record.copiedBytes; done < shift.length; ) {
    tools.beforeWindow();
    const length = Math.min(window, shift.length - done);
    await copyWindow(device, { ...shift, from: shift.from + done, to: shift.to + done, length }, buffers);
    await device.flush();
    done += length;
    await records.write({ ...record, copiedBytes: done });
  }
  const { at, length } = vacatedBy(shift);
  await device.discard(at, length);
}

/** Its holes stay holes. */
async function copyWindow(
  device: BlockDevice,
  { from, to, length }: Shift,
  buffers: ShiftTools['buffers'],
): Promise<void> {
  const data = mergeRanges(await device.dataRanges(from, length));
  const operations = data.map((range) => ({
    op: 'copy' as const,
    from: range.at,
    to: range.at - from + to,
    length: range.length,
  }));
  await copyAll(device, { stage: 'change', why: 'shift', operations }, buffers);
  for (const hole of complement(data, { at: from, length })) {
    await device.discard(hole.at - from + to, hole.length);
  }
}
