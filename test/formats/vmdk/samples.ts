import { fromByteString } from '../../../src/codec/lines.js';

/** A byte string as bytes. */
export const bytesOf = fromByteString;

/** Laid out as ESXi 6.7 writes it. */
export const ESXI = `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=0172e8a4
parentCID=ffffffff
createType="vmfs"

# Extent description
RW 4096 VMFS "x-flat.vmdk"

# The Disk Data Base
#DDB

ddb.adapterType = "lsilogic"
ddb.geometry.cylinders = "2"
ddb.geometry.heads = "64"
ddb.geometry.sectors = "32"
ddb.longContentID = "c493b057f416b9534001df440172e8a4"
ddb.uuid = "60 00 C2 98 5d 08 de f2-a0 14 2e 05 94 9d d8 38"
ddb.virtualHWVersion = "14"
`;

/** Laid out as Workstation writes it. */
export const HOSTED = `# Disk DescriptorFile
version=1
CID=9d2f7a31
parentCID=ffffffff
isNativeSnapshot="no"
createType="monolithicFlat"
# Extent description
RW 20480 FLAT "x-flat.vmdk" 0

# The Disk Data Base
#DDB

ddb.adapterType = "buslogic"
ddb.geometry.sectors = "17"
ddb.geometry.cylinders = "301"
ddb.geometry.heads = "4"
ddb.longContentID = "c30e9133f6a8e34df61188c59d2f7a31"
`;

interface Sample {
  readonly createType?: string;
  readonly cid?: string;
  readonly parentCid?: string;
  readonly hint?: string;
  /** Lines of extents; one flat extent of 2048 sectors without them. */
  readonly extents?: readonly string[];
  readonly changeTracking?: boolean;
  readonly bios?: boolean;
}

/** A descriptor for tests of whole disks. */
export function descriptorText(sample: Sample = {}): string {
  const { createType = 'vmfs', cid = '1234abcd', parentCid = 'ffffffff' } = sample;
  const lines = [
    '# Disk DescriptorFile',
    `version=${sample.changeTracking === true ? 3 : 1}`,
    'encoding="UTF-8"',
    `CID=${cid}`,
    `parentCID=${parentCid}`,
    `createType="${createType}"`,
    ...(sample.hint === undefined ? [] : [`parentFileNameHint="${sample.hint}"`]),
    '',
    '# Extent description',
    ...(sample.extents ?? ['RW 2048 VMFS "x-flat.vmdk"']),
    '',
    ...(sample.changeTracking === true ? ['# Change Tracking File', 'changeTrackPath="x-ctk.vmdk"', ''] : []),
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    'ddb.geometry.cylinders = "1"',
    'ddb.geometry.heads = "64"',
    'ddb.geometry.sectors = "32"',
    ...(sample.bios === true
      ? [
          'ddb.geometry.biosCylinders = "65535"',
          'ddb.geometry.biosHeads = "255"',
          'ddb.geometry.biosSectors = "63"',
        ]
      : []),
    `ddb.longContentID = "000102030405060708090a0b${cid}"`,
    '',
  ];
  return lines.join('\n');
}
