/**
 * The on-disk structures of NTFS 3.x. Sources: the public NTFS documentation of the libfsntfs project and the
 * structure reference of ntfs-3g; every offset was compared with volumes that Windows 10 and mkntfs made.
 */
import { ascii, bytes, guid, i8, size64le, u8, u16le, u32le, u64le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';

/** The OEM id of an NTFS boot sector. */
export const OEM_ID = 'NTFS    ';

/** The part of the boot sector that describes the volume (BIOS parameter block and what NTFS added to it). */
export const BOOT_SECTOR = defineLayout('NTFS boot sector', 0x50, {
  oemId: { at: 0x03, type: ascii(8) },
  bytesPerSector: { at: 0x0b, type: u16le },
  sectorsPerCluster: { at: 0x0d, type: u8 },
  /** FAT fields that are zero in NTFS: reserved sectors, FATs, root entries, small sector count. */
  fatFields: { at: 0x0e, type: bytes(7) },
  sectorsPerFat: { at: 0x16, type: u16le },
  hiddenSectors: { at: 0x1c, type: u32le },
  largeSectors: { at: 0x20, type: u32le },
  totalSectors: { at: 0x28, type: size64le },
  mftLcn: { at: 0x30, type: size64le },
  mftMirrorLcn: { at: 0x38, type: size64le },
  recordSizeCode: { at: 0x40, type: i8 },
  indexSizeCode: { at: 0x44, type: i8 },
  serial: { at: 0x48, type: u64le },
});

/** Common to everything with fix-ups: FILE and INDX records, restart pages. */
export const MULTI_SECTOR = defineLayout('multi-sector header', 8, {
  magic: { at: 0x00, type: u32le },
  usaOffset: { at: 0x04, type: u16le },
  usaCount: { at: 0x06, type: u16le },
});

/** Magic words, read as little-endian numbers. */
export const MAGIC = {
  FILE: 0x454c_4946,
  INDX: 0x5844_4e49,
  RSTR: 0x5254_5352,
  CHKD: 0x444b_4843,
} as const;

/** Field offsets of a FILE record; a record of Windows 2000 ends its header at 0x2A, so this is the common part. */
export const FILE_RECORD = {
  usaOffset: 0x04,
  usaCount: 0x06,
  sequence: 0x10,
  firstAttribute: 0x14,
  flags: 0x16,
  bytesInUse: 0x18,
  bytesAllocated: 0x1c,
  baseRecord: 0x20,
  nextInstance: 0x28,
  headerBytes: 0x2a,
  /** Since version 3.1; the update sequence array follows it. */
  number: 0x2c,
  longHeaderBytes: 0x30,
} as const;

/** `flags` of a FILE record. */
export const RECORD_IN_USE = 0x0001;

/** Attribute types this program looks for. */
export const ATTRIBUTE_TYPE = {
  attributeList: 0x20,
  volumeName: 0x60,
  volumeInformation: 0x70,
  data: 0x80,
  indexRoot: 0x90,
  indexAllocation: 0xa0,
  bitmap: 0xb0,
  reparsePoint: 0xc0,
  end: 0xffff_ffff,
} as const;

/** Field offsets of an attribute's header; the two forms share the first sixteen bytes. */
export const ATTRIBUTE = {
  type: 0x00,
  length: 0x04,
  nonResident: 0x08,
  nameLength: 0x09,
  nameOffset: 0x0a,
  flags: 0x0c,
  instance: 0x0e,
  valueLength: 0x10,
  valueOffset: 0x14,
  lowestVcn: 0x10,
  highestVcn: 0x18,
  mappingPairsOffset: 0x20,
  compressionUnit: 0x22,
  allocatedSize: 0x28,
  dataSize: 0x30,
  initializedSize: 0x38,
  totalAllocated: 0x40,
  residentHeaderBytes: 0x18,
  nonResidentHeaderBytes: 0x40,
} as const;

/** Attribute `flags`: the content is not what the clusters hold byte for byte. */
export const COMPRESSED_MASK = 0x00ff;
export const ENCRYPTED = 0x4000;
export const SPARSE = 0x8000;

/** Field offsets of an entry of an $ATTRIBUTE_LIST. */
export const LIST_ENTRY = {
  type: 0x00,
  length: 0x04,
  nameLength: 0x06,
  nameOffset: 0x07,
  lowestVcn: 0x08,
  record: 0x10,
  instance: 0x18,
  headerBytes: 0x1a,
} as const;

export const VOLUME_INFORMATION = defineLayout('$VOLUME_INFORMATION', 12, {
  majorVersion: { at: 0x08, type: u8 },
  minorVersion: { at: 0x09, type: u8 },
  flags: { at: 0x0a, type: u16le },
});

export const INDEX_ROOT = defineLayout('$INDEX_ROOT', 0x10, {
  indexedType: { at: 0x00, type: u32le },
  blockBytes: { at: 0x08, type: u32le },
});

/** In front of the entries, in $INDEX_ROOT at 0x10 and in an INDX block at 0x18; offsets count from here. */
export const INDEX_HEADER = defineLayout('index header', 0x10, {
  firstEntry: { at: 0x00, type: u32le },
  bytesInUse: { at: 0x04, type: u32le },
});
export const INDX_HEADER_AT = 0x18;

export const INDX_BLOCK = defineLayout('INDX block', 0x18, {
  magic: { at: 0x00, type: u32le },
  vcn: { at: 0x10, type: size64le },
});

/** Field offsets of an entry of a file name index; the key is a $FILE_NAME. */
export const INDEX_ENTRY = {
  file: 0x00,
  length: 0x08,
  keyLength: 0x0a,
  flags: 0x0c,
  key: 0x10,
  headerBytes: 0x10,
} as const;
export const ENTRY_HAS_CHILD = 0x0001;
export const ENTRY_IS_LAST = 0x0002;

/** Inside a $FILE_NAME: flags of the file, length of the name in UTF-16 units, namespace, and the name. */
export const FILE_NAME = { flags: 0x38, nameLength: 0x40, namespace: 0x41, name: 0x42 } as const;
export const FILE_NAME_IS_FOLDER = 0x1000_0000;
/** The 8.3 name of a file that has a longer one as well. */
export const NAMESPACE_DOS = 2;

export const RESTART_PAGE = defineLayout('$LogFile restart page', 0x1e, {
  magic: { at: 0x00, type: u32le },
  systemPageBytes: { at: 0x10, type: u32le },
  restartAreaOffset: { at: 0x18, type: u16le },
  majorVersion: { at: 0x1c, type: u16le },
});

export const RESTART_AREA = defineLayout('$LogFile restart area', 0x10, {
  currentLsn: { at: 0x00, type: u64le },
  clientInUseList: { at: 0x0c, type: u16le },
  flags: { at: 0x0e, type: u16le },
});

/** Position of the shadow copy header, inside $Boot. */
export const VSS_HEADER_AT = 0x1e00;
export const VSS_HEADER = defineLayout('shadow copy header', 0x38, {
  identifier: { at: 0x00, type: guid },
  recordType: { at: 0x14, type: u32le },
  catalogOffset: { at: 0x30, type: u64le },
});
export const VSS_IDENTIFIER = '3808876b-c176-4e48-b7ae-04046e6cc752';

/** Bytes of $Boot: boot sector, boot code and the shadow copy header; always at LCN 0. */
export const BOOT_FILE_BYTES = 8192;

/** Windows keeps only the first four records of $MFTMirr current, however many it has room for. */
export const MIRRORED_RECORDS = 4;

/** Records with a fixed number. */
export const RECORD = {
  mft: 0,
  mftMirror: 1,
  logFile: 2,
  volume: 3,
  root: 5,
  bitmap: 6,
  boot: 7,
  badClusters: 8,
  upCase: 10,
} as const;
