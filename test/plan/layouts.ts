import fc from 'fast-check';
import { lba } from '../../src/core/units.js';
import type { GptTable } from '../../src/formats/gpt/index.js';
import type { FilesystemFacts } from '../../src/formats/types.js';
import type { DiskFacts, PartitionFacts, PartitionKind } from '../../src/inspect/types.js';
import {
  type ExtentTarget,
  type LayoutRequest,
  layoutRequest as makeRequest,
  type Plan,
} from '../../src/plan/types.js';

export const GEOMETRY = { heads: 255, sectorsPerTrack: 63 };
/** The usual GPT: 128 entries of 128 bytes. */
const GPT_ENTRIES = { entryCount: 128, entrySize: 128 };

/** A file system that moves and does not mind a larger partition, unless the change says otherwise. */
export function filesystemFacts(
  kind: string,
  change: Partial<Omit<FilesystemFacts, 'move'>> & { move?: Partial<FilesystemFacts['move']> } = {},
): FilesystemFacts {
  return {
    kind,
    label: null,
    serial: null,
    clusterBytes: 4096,
    totalBytes: null,
    usedBytes: null,
    freeBytes: null,
    minimumBytes: null,
    state: 'clean',
    reasons: [],
    ...change,
    move: { blockers: [], copies: 'all', toleratesLargerPartition: true, ...change.move },
  };
}

export interface Part {
  readonly number: number;
  readonly startLba: number;
  readonly sectorCount: number;
  readonly kind?: PartitionKind;
  readonly ebrLba?: number;
  readonly filesystem?: FilesystemFacts | null;
}

export function partitionFacts(part: Part, table: 'mbr' | 'gpt' = 'mbr'): PartitionFacts {
  const kind = part.kind ?? (table === 'gpt' ? 'gpt' : 'primary');
  return {
    number: part.number,
    kind,
    type: kind === 'extended' ? '0x0f' : '0x83',
    typeName: 'test',
    active: false,
    startLba: lba(part.startLba),
    sectorCount: part.sectorCount,
    ebrLba: part.ebrLba === undefined ? null : lba(part.ebrLba),
    filesystem: part.filesystem ?? null,
  };
}

/** Sectors behind the last usable one of a GPT disk. */
const backupSectors = (sectorSize: number): number =>
  1 + Math.ceil((GPT_ENTRIES.entryCount * GPT_ENTRIES.entrySize) / sectorSize);

function gptTable(sectorSize: number, sectors: number): GptTable {
  return {
    ...GPT_ENTRIES,
    diskGuid: '00000000-0000-0000-0000-000000000001',
    sectorSize,
    diskSectors: sectors,
    firstUsable: lba(1 + backupSectors(sectorSize)),
    lastUsable: lba(sectors - backupSectors(sectorSize) - 1),
    partitions: [],
    primaryState: 'good',
    backupState: 'good',
    primary: null,
    backup: null,
    protectiveMbr: new Uint8Array(0),
    hybrid: [],
    problems: [],
  };
}

/** Facts of a disk of so many sectors with these partitions. */
export function diskFacts(
  sectors: number,
  parts: readonly Part[],
  change: Partial<DiskFacts> & { table?: 'mbr' | 'gpt' } = {},
): DiskFacts {
  const { table = 'mbr', sectorSize = 512 } = change;
  const gpt = table === 'gpt' ? gptTable(sectorSize, sectors) : null;
  const starts = parts.map(({ startLba }) => startLba);
  const sizeBytes = sectors * sectorSize;
  return {
    path: '/vms/test/test.vmdk',
    createType: 'monolithicFlat',
    sizeBytes,
    allocatedBytes: null,
    sectorSize,
    table,
    mbr: null,
    gpt,
    geometry: GEOMETRY,
    usable: {
      first: gpt?.firstUsable ?? lba(Math.min(63, ...starts)),
      end: lba(gpt === null ? sectors : gpt.lastUsable + 1),
    },
    partitions: parts.map((part) => partitionFacts(part, table)),
    guest: null,
    boot: [],
    identity: { sizeBytes, contentId: '12345678', diskId: '00c0ffee', tableChecksum: 7 },
    vm: null,
    changeTracking: false,
    thinOnVmfs: false,
    storeCopies: false,
    windowBytes: null,
    shiftBlockBytes: null,
    sharesBlocks: false,
    state: 'ready',
    reasons: [],
    warnings: [],
    ...change,
  };
}

export function alignRequest(change: Partial<LayoutRequest> = {}): LayoutRequest {
  return makeRequest({ command: 'align', ...change });
}

/** The facts that inspect would find when the plan was carried out. */
export function factsAfter(facts: DiskFacts, plan: Plan): DiskFacts {
  const parts = plan.after.partitions.map(({ number, startLba, sectorCount, ebrLba }): PartitionFacts => {
    const before = facts.partitions.find((partition) => partition.number === number);
    if (before === undefined) throw new Error(`the plan made partition ${number} up`);
    return { ...before, startLba, sectorCount, ebrLba };
  });
  const { sizeBytes } = plan.after;
  const sectors = Math.floor(sizeBytes / facts.sectorSize);
  const behind = facts.gpt === null ? 0 : backupSectors(facts.sectorSize);
  return {
    ...facts,
    sizeBytes,
    partitions: parts,
    usable: { first: facts.usable.first, end: lba(sectors - behind) },
    identity: { ...facts.identity, sizeBytes },
  };
}

/** Distances people and tools leave: none, a sector, a track, a MiB, or anything. */
const gap = fc.oneof(fc.constantFrom(0, 1, 62, 63, 64, 126, 2048), fc.integer({ min: 0, max: 70_000 }));
const size = fc.oneof(
  fc.integer({ min: 1, max: 200_000 }),
  fc.constantFrom(1, 63, 2048, 16_002, 16_065, 64_260, 65_536),
);

const filesystem = fc.option(
  fc.record({
    kind: fc.constantFrom('ntfs', 'ext4', 'md'),
    tolerant: fc.boolean(),
    clusterBytes: fc.constantFrom(512, 4096, 65_536, 2_097_152),
    blocked: fc.integer({ min: 0, max: 15 }).map((value) => value === 0),
    used: fc.integer({ min: 0, max: 1 << 20 }),
  }),
  { nil: null },
);

interface Block {
  readonly gap: number;
  readonly ebrGap: number;
  readonly size: number;
  readonly filesystem: FilesystemFacts | null;
}

const block: fc.Arbitrary<Block> = fc
  .record({ gap, ebrGap: fc.oneof(fc.constant(0), gap), size, filesystem })
  .map(({ filesystem: found, ...rest }) => ({
    ...rest,
    filesystem:
      found === null
        ? null
        : filesystemFacts(found.kind, {
            clusterBytes: found.clusterBytes,
            usedBytes: found.used,
            move: {
              blockers: found.blocked ? [{ code: 'dirty', message: 'is dirty', hint: 'run chkdsk' }] : [],
              copies: found.used % 2 === 0 ? 'used' : 'all',
              toleratesLargerPartition: found.tolerant,
            },
          }),
  }));

/** Room behind the last partition: none, little, or enough. */
const slack = fc.oneof(fc.constantFrom(0, 1, 100, 2048), fc.integer({ min: 0, max: 400_000 }));

const geometry = fc.constantFrom(
  GEOMETRY,
  { heads: 240, sectorsPerTrack: 63 },
  { heads: 16, sectorsPerTrack: 63 },
  { heads: 64, sectorsPerTrack: 32 },
  { heads: 1, sectorsPerTrack: 1 },
);

function laidOut(blocks: readonly Block[], first: number, numbers: readonly number[]) {
  let cursor = first;
  return blocks.map((each, index): Part & { end: number } => {
    const startLba = cursor + each.gap;
    cursor = startLba + each.size;
    const number = numbers[index] ?? index + 1;
    return { number, startLba, sectorCount: each.size, filesystem: each.filesystem, end: cursor };
  });
}

/** Slots in any order, some left out. */
const slots = (count: number) =>
  fc.shuffledSubarray(
    Array.from({ length: count }, (_, i) => i + 1),
    { minLength: count },
  );

const gptDisk: fc.Arbitrary<DiskFacts> = fc
  .record({
    blocks: fc.array(block, { maxLength: 6 }),
    numbers: slots(8),
    slack,
    geometry,
    sectorSize: fc.constantFrom(512, 4096),
  })
  .map(({ blocks, numbers, slack: rest, sectorSize, ...change }) => {
    const parts = laidOut(blocks, 1 + backupSectors(sectorSize), numbers);
    const end = parts.at(-1)?.end ?? 2048;
    return diskFacts(end + rest + backupSectors(sectorSize), parts, { ...change, sectorSize, table: 'gpt' });
  });

/**
 * The logicals of a container. Its first sector is the EBR of the first one, or (as the wild has it) an empty EBR that
 * only points to the next.
 */
function logicalsOf(blocks: readonly Block[], start: number): (Part & { end: number })[] {
  let cursor = start;
  return blocks.map((each, index) => {
    const ebrLba = index === 0 ? start + (each.ebrGap < 64 ? 0 : each.ebrGap) : cursor + each.ebrGap;
    const startLba = ebrLba + 1 + each.gap;
    cursor = startLba + each.size;
    const { filesystem: found, size: sectorCount } = each;
    return {
      number: 5 + index,
      kind: 'logical',
      ebrLba,
      startLba,
      sectorCount,
      filesystem: found,
      end: cursor,
    };
  });
}

const mbrDisk: fc.Arbitrary<DiskFacts> = fc
  .record({
    first: fc.constantFrom(1, 32, 63, 64, 2048),
    front: fc.array(block, { maxLength: 2 }),
    logicals: fc.option(fc.array(block, { maxLength: 4 }), { nil: null }),
    container: fc.record({ gap, tail: gap }),
    back: fc.array(block, { maxLength: 1 }),
    numbers: slots(4),
    slack,
    geometry,
  })
  .map(({ first, front, logicals, container, back, numbers, slack: rest, geometry: shape }) => {
    const before = laidOut(front, first, numbers);
    const start = (before.at(-1)?.end ?? first) + container.gap;
    const inner = logicals === null ? [] : logicalsOf(logicals, start);
    const end = (inner.at(-1)?.end ?? start + 1) + container.tail;
    const extended: Part[] =
      logicals === null
        ? []
        : [{ number: numbers[3] ?? 4, kind: 'extended', startLba: start, sectorCount: end - start }];
    const behind = laidOut(back, extended.length > 0 ? end : start, numbers.slice(2));
    const last = Math.max(end, behind.at(-1)?.end ?? 0);
    return diskFacts(last + rest, [...before, ...behind, ...extended, ...inner], { geometry: shape });
  });

export const anyDisk: fc.Arbitrary<DiskFacts> = fc.oneof({ weight: 3, arbitrary: mbrDisk }, gptDisk);

const boundary = fc.integer({ min: 12, max: 24 }).map((power) => 2 ** power);

/** Places that are free, taken, half taken, or beyond the end. */
const anyTarget = (facts: DiskFacts, number: number): fc.Arbitrary<ExtentTarget> => {
  const places = facts.partitions.flatMap(({ startLba, sectorCount }) => [startLba, startLba + sectorCount]);
  return fc
    .record({
      place: fc.constantFrom(0, facts.usable.end, ...places),
      offset: fc.oneof(fc.constantFrom(0, 1, 63, -63), fc.integer({ min: -70_000, max: 70_000 })),
    })
    .map(({ place, offset }) => ({
      number,
      startLba: Math.max(0, place + offset),
      sectorCount: null,
      ebrLba: null,
    }));
};

const moveRequest = (facts: DiskFacts): fc.Arbitrary<LayoutRequest> =>
  fc
    .record({
      numbers: fc.subarray(facts.partitions.map(({ number }) => number)),
      grow: fc.boolean(),
    })
    .chain(({ numbers, grow }) =>
      fc
        .tuple(...numbers.map((number) => anyTarget(facts, number)))
        .map((targets) => alignRequest({ command: 'move-extents', targets, grow })),
    );

const layoutRequest = (facts: DiskFacts): fc.Arbitrary<LayoutRequest> => {
  const numbers = facts.partitions.map(({ number }) => number);
  return fc
    .record({
      boundaryBytes: boundary,
      cylinders: fc.boolean(),
      doNotAlign: fc.oneof(fc.constant([]), fc.subarray(numbers)),
      only: fc.oneof(fc.constant([]), fc.subarray(numbers)),
      grow: fc.boolean(),
      diskSizeBytes: fc.oneof(
        fc.constant(null),
        fc.integer({ min: 0, max: 40_000 }).map((count) => facts.sizeBytes + count * facts.sectorSize),
      ),
    })
    .map(alignRequest);
};

/** A disk and something to ask for: to align it, or to put partitions somewhere. */
export const anyCase: fc.Arbitrary<{ facts: DiskFacts; request: LayoutRequest }> = anyDisk.chain((facts) =>
  fc.record({
    facts: fc.constant(facts),
    request: fc.oneof({ weight: 3, arbitrary: layoutRequest(facts) }, moveRequest(facts)),
  }),
);
