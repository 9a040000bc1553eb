import type { Reason } from '../core/errors.js';
import { lba, lbaToBytes, MIB } from '../core/units.js';
import type { BlockDevice, Reader } from '../device/types.js';
import { windowDevice } from '../device/window.js';
import type { Disk, DiskSource } from '../disk/types.js';
import { gptTypeName } from '../formats/gpt/index.js';
import { mbrTypeName } from '../formats/mbr/index.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import { bootOf, guestOf, hasBootCode } from './boot.js';
import { bootGapEnd } from './boot-gap.js';
import { foreignReasons } from './foreign.js';
import { probeFilesystem } from './registry.js';
import { resizingFacts } from './resizing.js';
import { readTables, type Tables } from './tables.js';
import type { DiskFacts, PartitionFacts } from './types.js';

export interface InspectOptions {
  /** Also look at what a change must respect: reads up to 1 MiB before the first partition. */
  readonly forChange?: boolean;
  /** Partitions whose smallest size is worked out: reads all FILE records of an NTFS volume, several times. */
  readonly measure?: (partition: { readonly number: number }) => boolean;
  /** Every volume is walked, and what is found is listed. */
  readonly deep?: boolean;
  /** Also look what operating system is on it. */
  readonly guest?: boolean;
  /** The outside programs for formats that are resized by them; without it nothing is said of what they would do. */
  readonly tools?: ResizeTools;
  readonly signal?: AbortSignal;
}

/**
 * Looks at a disk: tables, partitions, file systems. Reads metadata only. Contradictions in tables end as state
 * `damaged` with reasons; a store that cannot be read is an error.
 */
export async function inspectDisk(disk: Disk, options: InspectOptions = {}): Promise<DiskFacts> {
  const { source, device } = disk;
  const tables = await readTables(device);
  const partitions: PartitionFacts[] = [];
  for (const entry of entriesOf(tables)) {
    options.signal?.throwIfAborted();
    partitions.push({ ...entry, ...(await contentOf(device, entry, tables.sectorSize, options)) });
  }
  const foreign = [...tables.unsupported, ...(await foreignReasons(device, tables))];
  const gapEnd = options.forChange === true ? await bootGapEnd(device, tables) : 1;
  const known = {
    ...describeSource(source),
    sizeBytes: device.sizeBytes,
    sectorSize: tables.sectorSize,
    table: tables.kind,
    mbr: tables.mbr,
    gpt: tables.gpt,
    geometry: geometryOf(source, tables),
    storeCopies: device.capabilities.rangeCopy,
    windowBytes: device.capabilities.windowBytes ?? null,
    shiftBlockBytes: device.capabilities.shiftBlockBytes ?? null,
    sharesBlocks: device.capabilities.sharesBlocks === true && (await hasRoomToShare(source)),
    usable: usableSectors(device, tables, gapEnd),
    partitions,
    identity: {
      sizeBytes: device.sizeBytes,
      contentId: source.descriptor?.parsed.cid ?? null,
      diskId: tables.diskId,
      tableChecksum: tables.checksum,
    },
    ...stateOf(source.reasons, tables, foreign),
    warnings: [...source.warnings, ...tables.warnings],
  };
  const guest = options.guest === true ? await guestOf(device, known) : null;
  // Data disks are the most in a scan, and nothing starts from them.
  const starts = options.guest === true && (guest !== null || (await hasBootCode(device, tables.mbr)));
  return { ...known, guest, boot: options.forChange === true || starts ? await bootOf(device, known) : [] };
}

/** Twice the largest window that shares blocks while it is written anew. On a fuller store small windows are better. */
const SHARING_ROOM_BYTES = 512 * MIB;

async function hasRoomToShare({ store, path }: DiskSource): Promise<boolean> {
  const free = await store.freeBytes(store.folderOf(path));
  return free === null || free >= SHARING_ROOM_BYTES;
}

/** Facts of a disk whose bytes are not looked at: a sparse format, a descriptor that cannot be used. */
export function factsWithoutContent(source: DiskSource): DiskFacts {
  return {
    ...describeSource(source),
    sizeBytes: source.sizeBytes,
    sectorSize: 512,
    table: 'none',
    mbr: null,
    gpt: null,
    geometry: { heads: 255, sectorsPerTrack: 63 },
    storeCopies: false,
    windowBytes: null,
    shiftBlockBytes: null,
    sharesBlocks: false,
    usable: { first: lba(1), end: lba(Math.floor(source.sizeBytes / 512)) },
    partitions: [],
    guest: null,
    boot: [],
    identity: { sizeBytes: source.sizeBytes, contentId: null, diskId: null, tableChecksum: 0 },
    state: source.reasons.some(({ code }) => code === 'interrupted') ? 'interrupted' : 'refused',
    reasons: source.reasons,
    warnings: source.warnings,
  };
}

/** Key of the disk data base. */
const THIN = 'ddb.thinprovisioned';

function describeSource(source: DiskSource) {
  return {
    path: source.path,
    createType: source.createType,
    allocatedBytes: source.allocatedBytes,
    vm: source.vm,
    changeTracking: source.changeTracking !== null,
    thinOnVmfs: source.createType === 'vmfs' && source.descriptor?.parsed.ddb.get(THIN) === '1',
  };
}

type Content = Pick<PartitionFacts, 'filesystem' | 'resizing' | 'clearing' | 'findings'>;
type Entry = Omit<PartitionFacts, keyof Content>;

function entriesOf({ mbr, gpt, kind }: Tables): Entry[] {
  if (kind === 'gpt' && gpt !== null) {
    return gpt.partitions.map(({ number, typeGuid, startLba, sectorCount, attributes }) => ({
      number,
      kind: 'gpt',
      type: typeGuid,
      typeName: gptTypeName(typeGuid),
      // Bit 2 is the GPT's "legacy BIOS bootable" (UEFI specification, table of partition attributes).
      active: (attributes & 4n) !== 0n,
      startLba,
      sectorCount,
      ebrLba: null,
    }));
  }
  if (kind !== 'mbr' || mbr === null) return [];
  return mbr.partitions.map((partition) => ({
    ...partition,
    type: `0x${partition.type.toString(16).padStart(2, '0')}`,
    typeName: mbrTypeName(partition.type),
  }));
}

async function contentOf(
  device: BlockDevice,
  entry: Entry,
  sectorSize: number,
  options: InspectOptions,
): Promise<Content> {
  const at = lbaToBytes(entry.startLba, sectorSize);
  const length = entry.sectorCount * sectorSize;
  // A partition that leaves the disk is reported by its table; there is nothing whole to look at.
  if (entry.kind === 'extended' || length === 0 || at + length > device.sizeBytes)
    return { filesystem: null };
  const volume = windowDevice(device, at, length, `partition ${entry.number}`);
  const found = await probeFilesystem(volume);
  if (found === null) return { filesystem: null };
  const { signal, tools } = options;
  const wantsMinimum = options.measure?.(entry) ?? options.deep === true;
  return {
    filesystem: found.facts,
    resizing: await resizingFacts(found, volume, {
      measures: wantsMinimum,
      plans: options.forChange === true,
      tools,
      signal,
    }),
    clearing: { free: found.format.freeMap !== undefined, scratch: found.format.scratch?.kind ?? null },
    ...(options.deep === true && found.format.deepCheck !== undefined
      ? { findings: await found.format.deepCheck(volume, signal) }
      : {}),
  };
}

function geometryOf(source: DiskSource, { mbr }: Tables): DiskFacts['geometry'] {
  const stated = source.descriptor?.parsed.geometry;
  if (mbr?.geometry) return mbr.geometry;
  if (stated && stated.heads > 0 && stated.sectors > 0) {
    return { heads: stated.heads, sectorsPerTrack: stated.sectors };
  }
  return { heads: 255, sectorsPerTrack: 63 };
}

function usableSectors(device: Reader, tables: Tables, gapEnd: number): DiskFacts['usable'] {
  const sectors = Math.floor(device.sizeBytes / tables.sectorSize);
  if (tables.gpt !== null && tables.kind === 'gpt') {
    // A disk that was cut keeps a table that claims more than there is.
    return { first: tables.gpt.firstUsable, end: lba(Math.min(tables.gpt.lastUsable + 1, sectors)) };
  }
  const starts = tables.mbr?.partitions.map(({ startLba }) => startLba) ?? [];
  // Boot code lives behind the MBR: the first track is never given to a partition that was not there already.
  const track = Math.min(63, ...starts);
  return { first: lba(Math.max(1, track, Math.min(gapEnd, ...starts))), end: lba(sectors) };
}

function stateOf(
  source: readonly Reason[],
  tables: Tables,
  foreign: readonly Reason[],
): Pick<DiskFacts, 'state' | 'reasons'> {
  const reasons = [...source, ...tables.damage, ...foreign];
  if (source.some(({ code }) => code === 'interrupted')) return { state: 'interrupted', reasons };
  if (tables.damage.length > 0) return { state: 'damaged', reasons };
  return { state: reasons.length > 0 ? 'refused' : 'ready', reasons };
}
