import type { Reason } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import { NO_PARENT_CID, type VmdkDescriptor, type VmdkExtent } from './descriptor.js';

const CLONE_TO_FLAT =
  'convert it to a flat disk first: `vmkfstools -i SOURCE TARGET -d thin` on ESXi, `vmware-vdiskmanager -r SOURCE -t 2 TARGET`, or `qemu-img convert -O vmdk -o subformat=monolithicFlat SOURCE TARGET`';
const CONSOLIDATE = 'delete all snapshots of the virtual machine (Consolidate), or clone it, and try again';
const NOT_A_FILE = 'the bytes belong to a physical disk or LUN: resize it with the tools of that storage';

/** createTypes whose bytes lie in flat files, in order: the ones this program changes. */
const FLAT_CREATE_TYPES = new Set(['monolithicflat', 'vmfs', 'twogbmaxextentflat']);

/** Every other createType VMware writes: what it is, and what to do. Keys in lower case. */
const REFUSED_CREATE_TYPES: Readonly<Record<string, readonly [what: string, hint: string]>> = {
  monolithicsparse: ['a sparse disk in one file', CLONE_TO_FLAT],
  twogbmaxextentsparse: ['a split sparse disk', CLONE_TO_FLAT],
  streamoptimized: ['a compressed, read-only transport disk', CLONE_TO_FLAT],
  vmfssparse: ['a snapshot delta', CONSOLIDATE],
  sesparse: ['a space-efficient snapshot delta', CONSOLIDATE],
  vsansparse: ['a snapshot delta on vSAN', CONSOLIDATE],
  fulldevice: ['a whole physical disk', NOT_A_FILE],
  partitioneddevice: ['partitions of a physical disk', NOT_A_FILE],
  vmfsraw: ['a raw device', NOT_A_FILE],
  vmfsrawdevicemap: ['a raw device mapping (virtual RDM)', NOT_A_FILE],
  vmfspassthroughrawdevicemap: ['a raw device mapping (physical RDM)', NOT_A_FILE],
  custom: ['a disk put together by hand', CLONE_TO_FLAT],
};

const FLAT_EXTENT_TYPES = new Set(['FLAT', 'VMFS']);
/** Names that lead to an object store instead of a file beside the descriptor. */
const OBJECT_STORE_NAME = /^(?:vsan|vvol):\/\//i;
/** What VMware writes is 1, 2 and 3; more is unknown ground. */
const KNOWN_VERSIONS = new Set([1, 2, 3]);

/** True when the disk's bytes lie plainly in files, one extent after the other, so that they can be read. */
export function isFlat(descriptor: VmdkDescriptor): boolean {
  return (
    FLAT_CREATE_TYPES.has(descriptor.createType.toLowerCase()) &&
    descriptor.extents.every((extent) => {
      const refusal = extentRefusal(extent);
      return refusal === undefined || refusal.code === 'extent-access';
    })
  );
}

/**
 * Why a disk with this descriptor must not be changed; empty when the descriptor stands against nothing.
 * What lies around it (snapshots, locks) is judged by disk/neighbours.
 */
export function writeRefusals(descriptor: VmdkDescriptor): Reason[] {
  const reasons: Reason[] = [];
  const add = (code: string, message: string, hint: string): void => {
    if (!reasons.some((reason) => reason.code === code)) reasons.push({ code, message, hint });
  };
  const type = createTypeRefusal(descriptor.createType);
  if (type !== undefined) reasons.push(type);
  if (!KNOWN_VERSIONS.has(descriptor.version)) {
    add(
      'descriptor-version',
      `the descriptor has version ${descriptor.version}; 1, 2 and 3 are known`,
      CLONE_TO_FLAT,
    );
  }
  if (descriptor.parentCid !== NO_PARENT_CID || descriptor.parentFileNameHint !== null) {
    add('linked-child', 'the disk is a snapshot or linked clone: it has a parent disk', CONSOLIDATE);
  }
  if (descriptor.encrypted) {
    add(
      'encrypted',
      'the disk is encrypted',
      'decrypt the virtual machine (Remove encryption) and try again',
    );
  }
  for (const key of ['ddb.iofilters', 'ddb.sidecars']) {
    if ((descriptor.ddb.get(key) ?? '') === '') continue;
    const hint = 'remove the storage policy or filter from the disk and try again';
    add('io-filter', `an I/O filter is attached to the disk (${key})`, hint);
  }
  for (const extent of descriptor.extents) {
    const reason = extentRefusal(extent);
    if (reason !== undefined) add(reason.code, reason.message, reason.hint ?? CLONE_TO_FLAT);
  }
  return reasons;
}

function createTypeRefusal(createType: string): Reason | undefined {
  const key = createType.toLowerCase();
  if (FLAT_CREATE_TYPES.has(key)) return undefined;
  const name = cleanText(createType);
  const known = Object.hasOwn(REFUSED_CREATE_TYPES, key) ? REFUSED_CREATE_TYPES[key] : undefined;
  if (known === undefined) {
    const message = `createType ${name} is unknown`;
    return { code: 'create-type', message, hint: CLONE_TO_FLAT };
  }
  const [what, hint] = known;
  return { code: 'create-type', message: `createType ${name} (${what}) cannot be changed in place`, hint };
}

function extentRefusal(extent: VmdkExtent): Reason | undefined {
  const line = `extent in line ${extent.lineIndex + 1}`;
  if (extent.fileName !== null && OBJECT_STORE_NAME.test(extent.fileName)) {
    const message = `the ${line} is an object of a vSAN or vVol store, not a file`;
    return { code: 'object-store', message, hint: 'move the disk to a VMFS or NFS datastore and try again' };
  }
  if (!FLAT_EXTENT_TYPES.has(extent.type)) {
    const message = `the ${line} has type ${extent.type}, not FLAT or VMFS`;
    return { code: 'extent-type', message, hint: CLONE_TO_FLAT };
  }
  if (extent.fileName === null || extent.fileName === '') {
    return { code: 'extent-type', message: `the ${line} names no file`, hint: CLONE_TO_FLAT };
  }
  if (extent.offsetSectors !== 0) {
    const message = `the ${line} begins at sector ${extent.offsetSectors} of its file, not at its beginning`;
    return { code: 'extent-offset', message, hint: CLONE_TO_FLAT };
  }
  // Last: it stands against writing only, and isFlat lets it pass.
  if (extent.access !== 'RW') {
    const message = `the ${line} is ${extent.access}: not to be written`;
    return { code: 'extent-access', message, hint: 'set its access to RW if nothing else relies on it' };
  }
  return undefined;
}
