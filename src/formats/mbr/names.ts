/** The partition types that occur on virtual disks; the full list is 256 long and mostly history. */
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x01, 'FAT12'],
  [0x04, 'FAT16 below 32 MiB'],
  [0x05, 'extended'],
  [0x06, 'FAT16'],
  [0x07, 'NTFS/exFAT/HPFS'],
  [0x0b, 'FAT32'],
  [0x0c, 'FAT32 LBA'],
  [0x0e, 'FAT16 LBA'],
  [0x0f, 'extended LBA'],
  [0x11, 'hidden FAT12'],
  [0x12, 'vendor diagnostics'],
  [0x14, 'hidden FAT16 below 32 MiB'],
  [0x16, 'hidden FAT16'],
  [0x17, 'hidden NTFS'],
  [0x1b, 'hidden FAT32'],
  [0x1c, 'hidden FAT32 LBA'],
  [0x1e, 'hidden FAT16 LBA'],
  [0x27, 'Windows recovery'],
  [0x42, 'Windows dynamic disk (LDM)'],
  [0x63, 'Unix System V'],
  [0x82, 'Linux swap'],
  [0x83, 'Linux'],
  [0x85, 'Linux extended'],
  [0x8e, 'Linux LVM'],
  [0xa5, 'FreeBSD'],
  [0xa6, 'OpenBSD'],
  [0xa9, 'NetBSD'],
  [0xaf, 'Apple HFS'],
  [0xbe, 'Solaris boot'],
  [0xbf, 'Solaris'],
  [0xee, 'GPT protective'],
  [0xef, 'EFI system'],
  [0xfb, 'VMware VMFS'],
  [0xfc, 'VMware VMKCORE'],
  [0xfd, 'Linux RAID'],
]);

/** What a partition of this type holds, in words; `0x..` where it has no common name. */
export function mbrTypeName(type: number): string {
  return TYPE_NAMES.get(type) ?? `0x${type.toString(16).padStart(2, '0')}`;
}
