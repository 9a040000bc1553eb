import { expect } from 'vitest';
import { rangeEnd } from '../../src/core/range.js';
import { KIB } from '../../src/core/units.js';
import {
  type FilesystemFacts,
  type FilesystemFormat,
  PROBE_BYTES,
  type VolumeEdit,
} from '../../src/formats/types.js';
import type { MemoryDevice } from '../support/memory-device.js';

/** A structure with a checksum: `apply` puts the right one into bytes that were changed. */
export interface Seal {
  readonly at: number;
  readonly length: number;
  apply(bytes: Uint8Array): void;
}

export interface FormatUnderTest {
  readonly format: FilesystemFormat;
  /** A sound volume of the format that may move, or must not for a reason that is no damage; small. */
  readonly volume: MemoryDevice;
  /** Sector that its hidden sectors, if it has any, say it starts at. Default 63. */
  readonly start?: number;
  /** Where a checksum hides what lies below it: damage is tried with the right checksum too. */
  readonly seal?: Seal;
}

/** Hands out the volume of the case; it is made once, so nothing may write to it. */
export type Current = () => FormatUnderTest;

/** How ids, kinds and codes are written. */
export const ID = /^[a-z0-9]+([.-][a-z0-9]+)*$/;

/** What the registry hands to a probe. */
export async function headOf(volume: MemoryDevice): Promise<Uint8Array> {
  return volume.readAt(0, Math.min(PROBE_BYTES, volume.sizeBytes));
}

/** Small metadata, and bitmaps or tables of at most 4 bytes for each 512 bytes of the volume. */
export const inspectBudget = (sizeBytes: number): number => 512 * KIB + sizeBytes / 128;
/** A deep check may read every structure a few times, but never depend on what a damaged field says. */
export const checkBudget = (sizeBytes: number): number => 4 * sizeBytes + 1024 * KIB;

/** Facts that no reader of them has to doubt; what a damaged volume claims is only reported. */
export function expectFitting(facts: FilesystemFacts, volumeBytes: number): void {
  expect(facts.kind).toMatch(ID);
  for (const reason of facts.reasons) {
    expect(reason.code).toMatch(ID);
    expect(reason.message).not.toBe('');
  }
  for (const blocker of facts.move.blockers) {
    expect(facts.reasons).toContainEqual(blocker);
    expect(blocker.hint, `a remedy for ${blocker.code}`).toBeTruthy();
  }
  if (facts.state === 'damaged') {
    expect(facts.move.blockers).not.toEqual([]);
    return;
  }
  if (facts.state === 'hibernated') expect(facts.move.blockers).not.toEqual([]);
  const { clusterBytes, totalBytes, usedBytes, freeBytes, minimumBytes } = facts;
  for (const bytes of [totalBytes, usedBytes, freeBytes, minimumBytes]) {
    if (bytes !== null) expect(Number.isSafeInteger(bytes) && bytes >= 0, `${bytes} bytes`).toBe(true);
  }
  if (clusterBytes !== null) expect(clusterBytes).toBeGreaterThan(0);
  const total = totalBytes ?? volumeBytes;
  expect(total).toBeLessThanOrEqual(volumeBytes);
  expect((usedBytes ?? 0) + (freeBytes ?? 0)).toBeLessThanOrEqual(total);
  expect(minimumBytes ?? 0).toBeLessThanOrEqual(total);
}

/** Writes of an edit lie inside the volume at its new place and do not overlap. */
export function expectWritesInside({ writes, fixups, warnings }: VolumeEdit, newBytes: number): void {
  let end = 0;
  for (const { at, bytes, why } of [...writes].sort((a, b) => a.at - b.at)) {
    expect(Number.isSafeInteger(at), `${why} at ${at}`).toBe(true);
    expect(at, `${why} overlaps what lies before it`).toBeGreaterThanOrEqual(end);
    expect(bytes.length).toBeGreaterThan(0);
    expect(why).not.toBe('');
    end = rangeEnd({ at, length: bytes.length });
  }
  expect(end).toBeLessThanOrEqual(newBytes);
  for (const { message } of [...fixups, ...warnings]) expect(message).not.toBe('');
}
