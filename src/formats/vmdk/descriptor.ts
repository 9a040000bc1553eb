/**
 * Largest descriptor file read. qemu stops at 10 KiB and DiscUtils at 20 KiB; a disk split into 4 GiB
 * extents takes about 45 bytes an extent, so 64 KiB cover 5 TiB of them, and scans stay cheap.
 */
export const MAX_DESCRIPTOR_BYTES = 64 * 1024;

/** `parentCID` of a disk without a parent. */
export const NO_PARENT_CID = 'ffffffff';

export type ExtentAccess = 'RW' | 'RDONLY' | 'NOACCESS';

/** One extent line: `RW 4096 VMFS "x-flat.vmdk" 0`. */
export interface VmdkExtent {
  readonly access: ExtentAccess;
  /** Count of 512-byte sectors. */
  readonly sectors: number;
  /** Upper case: FLAT, VMFS, SPARSE, ZERO, VMFSSPARSE, VMFSRDM, VMFSRAW, SESPARSE, VSANSPARSE ... */
  readonly type: string;
  /** As `encoding` reads it. Null for extents without a file (ZERO). */
  readonly fileName: string | null;
  /** The same bytes read as UTF-8, where `encoding` reads them differently: tried when fileName is missing. */
  readonly alternateFileName: string | null;
  /** Where the extent begins inside its file, in sectors. ESXi leaves it out: 0. */
  readonly offsetSectors: number;
  /** Index of the line in the file, from 0. */
  readonly lineIndex: number;
}

/** Cylinders, heads and sectors per track as `ddb.geometry.*` keeps them; all at least 1. */
export interface DescriptorGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectors: number;
}

/** What a VMDK descriptor says (domain: VMware's Virtual Disk Format, libvmdk, open-vmdk). */
export interface VmdkDescriptor {
  /** As written: monolithicFlat, vmfs, twoGbMaxExtentFlat ... */
  readonly createType: string;
  /** 1, 2 (encrypted) or 3 (change tracking). */
  readonly version: number;
  /** Character set of quoted names; null where the file does not say. */
  readonly encoding: string | null;
  /** Content id: 8 hex digits, lower case. */
  readonly cid: string;
  /** Content id of the parent; NO_PARENT_CID without one. */
  readonly parentCid: string;
  readonly parentFileNameHint: string | null;
  /** 32 hex digits, the last 8 of which are the CID; null where there is none. */
  readonly longContentId: string | null;
  readonly extents: readonly VmdkExtent[];
  readonly geometry: DescriptorGeometry | null;
  readonly biosGeometry: DescriptorGeometry | null;
  readonly adapterType: string | null;
  /** File name of the change tracking file. */
  readonly changeTrackPath: string | null;
  /** Some line names encryption or its keys. */
  readonly encrypted: boolean;
  /** The disk data base: keys in lower case, with `ddb.`. */
  readonly ddb: ReadonlyMap<string, string>;
}
