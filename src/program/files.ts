import { hiddenNameOf } from '../disk/names.js';
import type { DiskSource } from '../disk/types.js';
import { editDescriptor } from '../formats/vmdk/index.js';
import { editVmx, MAX_VMX_BYTES } from '../formats/vmx/index.js';
import type { CompileInput } from './compile-input.js';
import type { FileOperation, Phase } from './types.js';

/** Sectors in descriptors are 512 bytes, whatever the guest sees. */
const VMDK_SECTOR_BYTES = 512;

const phase = (stage: Phase['stage'], why: string, operation: FileOperation): Phase => ({
  stage,
  why,
  operations: [operation],
});

/** Takes the descriptor away while the run is in flight: no hypervisor can open the disk. A bare flat file has none. */
export function* hidePhases({ descriptor }: DiskSource): Generator<Phase> {
  if (descriptor === null) return;
  yield phase('prepare', 'hide the descriptor', {
    op: 'rename',
    from: descriptor.path,
    to: hiddenNameOf(descriptor.path),
  });
}

/**
 * Adapts the files beside the disk and puts the descriptor back, last. Each step is a phase, so that none is
 * repeated after a later one is done: behind the last rename the disk belongs to the guest again.
 */
export async function* finishPhases(input: CompileInput): AsyncGenerator<Phase> {
  const { source } = input.disk;
  const { descriptor, changeTracking } = source;
  if (descriptor === null) return;
  if (changeTracking !== null) {
    yield* vmxPhases(source);
    yield phase('finish', 'remove the change tracking file', { op: 'remove', file: changeTracking.path });
  }
  yield phase('finish', 'adapt the descriptor', {
    op: 'text',
    file: hiddenNameOf(descriptor.path),
    before: descriptor.bytes,
    after: adaptedDescriptor(input, descriptor),
  });
  // Only when no descriptor names them any more.
  for (const path of droppedFiles(input)) {
    yield phase('finish', 'remove an extent file behind the new end', { op: 'remove', file: path });
  }
  yield phase('finish', 'put the descriptor back', {
    op: 'rename',
    from: hiddenNameOf(descriptor.path),
    to: descriptor.path,
  });
}

function adaptedDescriptor(
  { disk, plan, newContentId }: CompileInput,
  { bytes }: NonNullable<DiskSource['descriptor']>,
): Uint8Array {
  const { before, after } = plan;
  const base = { cid: newContentId, dropChangeTracking: disk.source.changeTracking !== null };
  if (before.sizeBytes === after.sizeBytes) return editDescriptor(bytes, base);
  const { extents } = disk.source;
  const changed = extents.flatMap(({ diskOffset, sizeBytes }, index) => {
    const isLast = index === extents.length - 1;
    const room = Math.max(0, after.sizeBytes - diskOffset);
    const bytes = isLast ? room : Math.min(sizeBytes, room);
    return bytes === sizeBytes ? [] : [{ index, sectors: bytes / VMDK_SECTOR_BYTES }];
  });
  return editDescriptor(bytes, {
    ...base,
    sizeSectors: after.sizeBytes / VMDK_SECTOR_BYTES,
    extents: changed,
  });
}

/** Extent files of a split disk that lie behind its new end: they are empty by then. The first one always stays. */
const droppedFiles = ({ disk, plan }: CompileInput): string[] =>
  disk.source.extents.filter(({ diskOffset }) => diskOffset >= plan.after.sizeBytes).map(({ path }) => path);

async function* vmxPhases({ store, vm }: DiskSource): AsyncGenerator<Phase> {
  if (vm === null) return;
  const before = await store.readFile(vm.path, MAX_VMX_BYTES);
  const after = editVmx(before, { dropChangeTracking: true });
  if (Buffer.compare(before, after) === 0) return;
  yield phase('finish', 'switch change tracking off', { op: 'text', file: vm.path, before, after });
}
