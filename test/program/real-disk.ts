import type { Disk, DiskSource } from '../../src/disk/types.js';
import type { DiskFacts, PartitionFacts } from '../../src/inspect/types.js';
import type { Phase } from '../../src/program/types.js';
import { gptDisk } from '../formats/gpt/table-bytes.js';
import { bootRecord, type TestEntry } from '../formats/mbr/table-bytes.js';
import { CrashStore } from '../support/crash-store.js';
import { MemoryDevice } from '../support/memory-device.js';
import { randomBytes } from '../support/random.js';

const SECTOR = 512;
const SWAP_PAGE = 4096;

type Place = Pick<PartitionFacts, 'number' | 'kind' | 'startLba' | 'sectorCount' | 'ebrLba'>;

/** The bytes of a table that describes these partitions, as a memory device with something in each partition. */
export async function diskOf(facts: DiskFacts): Promise<MemoryDevice> {
  const device = new MemoryDevice(facts.sizeBytes, 'disk');
  if (facts.table === 'gpt') await writeGpt(device, facts);
  else writeMbr(device, facts.partitions);
  for (const partition of facts.partitions) if (partition.kind !== 'extended') fill(device, partition);
  return device;
}

async function writeGpt(device: MemoryDevice, { partitions }: DiskFacts): Promise<void> {
  const diskSectors = device.sizeBytes / SECTOR;
  const entries = partitions.map(({ number, startLba, sectorCount }) => ({
    number,
    first: startLba,
    last: startLba + sectorCount - 1,
  }));
  const table = gptDisk({ diskSectors, entries });
  device.poke(0, await table.readAt(0, 34 * SECTOR));
  device.poke(
    device.sizeBytes - 33 * SECTOR,
    await table.readAt(device.sizeBytes - 33 * SECTOR, 33 * SECTOR),
  );
}

function writeMbr(device: MemoryDevice, partitions: readonly Place[]): void {
  const outer = partitions.filter(({ kind }) => kind !== 'logical');
  const entries = outer.map(({ number, kind, startLba, sectorCount }) => ({
    slot: number,
    type: kind === 'extended' ? 0x0f : 0x83,
    start: startLba as number,
    count: sectorCount,
  }));
  device.poke(0, bootRecord(entries, 0xc0ffee));
  const container = outer.find(({ kind }) => kind === 'extended');
  if (container === undefined) return;
  const logicals = partitions.filter(({ kind }) => kind === 'logical');
  // The first EBR is the first sector of the container, and an empty one when no logical claims it.
  const links = [...(logicals[0]?.ebrLba === container.startLba ? [] : [undefined]), ...logicals];
  for (const [index, logical] of links.entries()) {
    const at = logical?.ebrLba ?? container.startLba;
    const next = links[index + 1];
    const records: TestEntry[] = [];
    if (logical !== undefined) {
      records.push({ slot: 1, type: 0x83, start: logical.startLba - at, count: logical.sectorCount });
    }
    if (next !== undefined && next.ebrLba !== null) {
      const count = next.startLba + next.sectorCount - next.ebrLba;
      records.push({ slot: 2, type: 0x05, start: next.ebrLba - container.startLba, count });
    }
    device.poke(at * SECTOR, bootRecord(records));
  }
}

/** Random bytes at both ends and in the middle; some partitions become swap, which tolerates a larger partition. */
function fill(device: MemoryDevice, { number, startLba, sectorCount }: Place): void {
  const from = startLba * SECTOR;
  const length = sectorCount * SECTOR;
  for (const at of [0, Math.floor(length / 2), Math.max(0, length - 700)]) {
    device.poke(from + at, randomBytes(Math.min(700, length - at), number * 1000 + sectorCount));
  }
  const pages = Math.floor(length / SWAP_PAGE);
  if (sectorCount % 2 === 1 || pages < 10) return;
  const head = new Uint8Array(SWAP_PAGE);
  const view = new DataView(head.buffer);
  view.setUint32(1024, 1, true);
  view.setUint32(1028, pages - 1, true);
  head.set(new TextEncoder().encode('SWAPSPACE2'), SWAP_PAGE - 10);
  device.poke(from, head);
}

/** A bare image with this content. */
export function bareDisk(device: MemoryDevice): Disk {
  const source: DiskSource = {
    store: new CrashStore(),
    path: '/disk.raw',
    createType: 'raw',
    descriptor: null,
    extents: [{ path: '/disk.raw', sizeBytes: device.sizeBytes, inode: '1', diskOffset: 0 }],
    sizeBytes: device.sizeBytes,
    allocatedBytes: null,
    vm: null,
    changeTracking: null,
    reasons: [],
    warnings: [],
  };
  return { source, device };
}

/** Carries a program out in the plainest way: all sources of a phase are read before the first target changes. */
export async function carryOut(device: MemoryDevice, program: readonly Phase[]): Promise<void> {
  for (const { operations } of program) {
    const copied: [number, Uint8Array][] = [];
    for (const each of operations) {
      if (each.op === 'copy') copied.push([each.to, await device.readAt(each.from, each.length)]);
    }
    for (const [at, bytes] of copied) await device.writeAt(at, bytes);
    for (const each of operations) {
      if (each.op === 'write') await device.writeAt(each.at, each.bytes);
      else if (each.op === 'discard') await device.discard(each.at, each.length);
      else if (each.op === 'resize') await device.resize(each.to);
    }
  }
}
