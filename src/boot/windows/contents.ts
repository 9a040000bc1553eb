import { refused, unsupported, type VmreclaimError } from '../../core/errors.js';
import { Hive } from '../../formats/regf/index.js';
import type { FilePatch, VolumeFile } from '../../formats/volume-file.js';
import type { Places } from '../places.js';
import type { SiteEdit } from '../types.js';
import { moveBootConfiguration, offsetsOfStore, readBootConfiguration } from './bcd.js';
import { moveMountedDevices, offsetsOf, readMountedDevices } from './mounted-devices.js';
import { OffsetMap } from './offset-map.js';
import { moveReagent, REAGENT_BYTES_MAX, reagentOffsets, reagentWarning } from './reagent.js';

/** What a file names by position, and how to move that. */
export interface Content {
  /** Bytes of the disk, before the change. */
  readonly offsets: readonly bigint[];
  /** Why the file must not be patched; null: it may. */
  readonly obstacle: VmreclaimError | null;
  edit(): ContentEdit;
}

type ContentEdit = Omit<SiteEdit, 'writes'> & { readonly patches: readonly FilePatch[] };

/** MountedDevices of a SYSTEM hive; undefined when it has none. Throws Damaged or Unsupported. */
export async function readSystemHive(file: VolumeFile, places: Places): Promise<Content | undefined> {
  const hive = await Hive.open(file);
  const obstacle = whyDirty(hive, file);
  const devices = await readMountedDevices(hive);
  if (devices === undefined) return obstacle === null ? undefined : notUpToDate(obstacle);
  const signature = signatureOf(places);
  return {
    offsets: offsetsOf(devices, signature),
    obstacle,
    edit() {
      const { patches, summary, warnings } = moveMountedDevices(devices, new OffsetMap(signature, places));
      return { patches, warnings, message: `${summary} at the new places` };
    },
  };
}

/** Devices of a boot configuration store; undefined when it is none. Throws Damaged or Unsupported. */
export async function readStore(file: VolumeFile, places: Places): Promise<Content | undefined> {
  const hive = await Hive.open(file);
  const obstacle = whyDirty(hive, file);
  const store = await readBootConfiguration(hive);
  if (store === undefined) return obstacle === null ? undefined : notUpToDate(obstacle);
  const signature = signatureOf(places);
  return {
    offsets: offsetsOfStore(store, signature),
    obstacle,
    edit() {
      const { patches, summary } = moveBootConfiguration(store, new OffsetMap(signature, places));
      return { patches, message: `${summary} at the new places` };
    },
  };
}

/** Locations in ReAgent.xml. Throws Unsupported, also for what is too long to be one. */
export async function readReagent(file: VolumeFile, places: Places): Promise<Content | undefined> {
  const { table, diskId, sectorSize } = places.input;
  if (table === 'none' || diskId === null) return undefined;
  if (file.sizeBytes > REAGENT_BYTES_MAX) {
    throw unsupported('reagent-form', `it is longer than ${REAGENT_BYTES_MAX} bytes`);
  }
  const disk = { table, id: diskId };
  const before = await file.readAt(0, file.sizeBytes);
  const to = (offset: bigint): bigint | undefined => {
    const moved = places.startingAt(Number(offset));
    return moved === undefined ? undefined : BigInt(moved.newStartLba * sectorSize);
  };
  return {
    offsets: reagentOffsets(before, disk),
    obstacle: null,
    edit() {
      const after = moveReagent(before, disk, to);
      if (after !== undefined) {
        return { patches: [{ at: 0, bytes: after }], message: 'the recovery image at its new place' };
      }
      return { patches: [], message: null, warnings: [reagentWarning('has no room for the new place')] };
    },
  };
}

/** What is not in the file yet may be in its logs. */
const notUpToDate = (obstacle: VmreclaimError): Content => ({
  offsets: [],
  obstacle,
  edit: () => {
    throw obstacle;
  },
});

const signatureOf = ({ input }: Places): number => Number.parseInt(input.diskId ?? '', 16);

/** Windows replays the logs of a dirty hive over it when it starts: a patch would be lost, or worse, mixed. */
function whyDirty({ dirty }: Hive, { label }: VolumeFile): VmreclaimError | null {
  if (dirty === null) return null;
  return refused('regf-dirty', `the registry hive ${label} is dirty: ${dirty}`, {
    hint: 'start the guest, so that Windows brings the hive up to date, then shut it down fully with `shutdown /s /f /t 0`',
  });
}
