/** Tiny volumes that a resize accepts, and what a test does to them: records put in, clusters marked, steps applied. */
import { HOLE } from '../../../../src/formats/ntfs/mapping-pairs.js';
import { openVolume } from '../../../../src/formats/ntfs/volume.js';
import type { VolumeResize } from '../../../../src/formats/types.js';
import { encodePairs, nonResident, record, type TestRun, TINY, tinyVolume } from '../tiny-volume.js';
import { VolumeBytes } from '../volumes.js';
import { collect } from './harness.js';

const [DATA, BAD_CLUSTERS, MIRRORED] = [0x80, 8, 4];
const { clusterBytes, clusterCount, recordBytes } = TINY;

/** Bytes of a partition that holds so many clusters and the copy of the boot sector. */
export const partitionOf = (clusters: number): number => clusters * clusterBytes + 512;

/** The tiny volume with a map of bad clusters; without bits for the file that it has in record 24, which is removed. */
export function resizable(): Uint8Array {
  const volume = tinyVolume();
  const map = nonResident(DATA, '$Bad', encodePairs([{ lcn: HOLE, length: clusterCount }]), {
    dataSize: clusterCount * clusterBytes,
    highestVcn: clusterCount - 1,
  });
  putRecord(volume, BAD_CLUSTERS, [map]);
  putRecord(volume, 24, []);
  mark(volume, [TINY.file], false);
  return volume;
}

/** A plain stream of these runs. */
export const streamOf = (
  runs: readonly TestRun[],
  { name = '', instance = 1, type = DATA, dataSize = clusters(runs) * clusterBytes } = {},
): Uint8Array =>
  nonResident(type, name, encodePairs(runs), { dataSize, highestVcn: clusters(runs) - 1, instance });

const clusters = (runs: readonly TestRun[]): number => runs.reduce((sum, { length }) => sum + length, 0);

/** Writes a FILE record, and its copy where there is one. */
export function putRecord(
  volume: Uint8Array,
  number: number,
  attributes: readonly Uint8Array[],
  base?: number,
): void {
  const bytes = record({ number, attributes, ...(base === undefined ? {} : { base }) });
  volume.set(bytes, TINY.mft.lcn * clusterBytes + number * recordBytes);
  if (number < MIRRORED) volume.set(bytes, TINY.mirror.lcn * clusterBytes + number * recordBytes);
}

/** Sets or clears bits of $Bitmap. */
export function mark(volume: Uint8Array, runs: readonly TestRun[], used = true): void {
  const map = TINY.bitmap.lcn * clusterBytes;
  for (const { lcn, length } of runs) {
    for (let at = lcn; at < lcn + length; at++) {
      const byte = volume[map + (at >> 3)] ?? 0;
      volume[map + (at >> 3)] = used ? byte | (1 << (at & 7)) : byte & ~(1 << (at & 7));
    }
  }
}

/** Fills clusters with what no other cluster holds. */
export function fill(volume: Uint8Array, runs: readonly TestRun[], seed: number): void {
  let value = seed;
  for (const { lcn, length } of runs) {
    for (let at = lcn * clusterBytes; at < (lcn + length) * clusterBytes; at += 4) {
      value = (value * 1103515245 + 12345) % 2 ** 31;
      new DataView(volume.buffer).setUint32(at, value, true);
    }
  }
}

/** Single clusters, every second one from `lcn` on. */
export const everySecond = (lcn: number, count: number): TestRun[] =>
  Array.from({ length: count }, (_, index) => ({ lcn: lcn + index * 2, length: 1 }));

/** The volume after all steps, in a partition of that size. */
export async function resized(
  volume: Uint8Array,
  resize: VolumeResize,
  sizeBytes: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(Math.max(volume.length, sizeBytes));
  bytes.set(volume);
  for (const { copies, writes, discards } of await collect(resize)) {
    for (const { from, to, length } of copies) bytes.copyWithin(to, from, from + length);
    for (const write of writes) bytes.set(write.bytes, write.at);
    for (const { at, length } of discards) bytes.fill(0, at, at + length);
  }
  return bytes.slice(0, sizeBytes);
}

/** Of each cluster of a stream, in order, the bytes; null for a hole. */
export async function clustersOf(volume: Uint8Array, file: number, name = ''): Promise<(string | null)[]> {
  const opened = await openVolume(new VolumeBytes(volume));
  const stream = await opened.openStream(await opened.readFile(file), DATA, name);
  const found: (string | null)[] = [];
  for (let index = 0; index < (stream?.runs.count ?? 0); index++) {
    const { lcn, length } = stream?.runs.at(index) ?? { lcn: HOLE, length: 0 };
    for (let at = 0; at < length; at++) {
      const from = (lcn + at) * clusterBytes;
      found.push(
        lcn === HOLE ? null : Buffer.from(volume.slice(from, from + clusterBytes)).toString('base64'),
      );
    }
  }
  return found;
}
