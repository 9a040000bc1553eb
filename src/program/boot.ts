import { bootEdits } from '../boot/index.js';
import type { BootInput, BootPartition, BootWrite } from '../boot/types.js';
import type { Reader } from '../device/types.js';
import { windowReader } from '../device/window.js';
import { writeObstacle } from '../inspect/boot.js';
import type { LayoutPartition } from '../plan/types.js';
import type { CompileInput } from './compile-input.js';
import { type CompileNotes, partitionOf } from './compile-notes.js';
import { MAX_OPERATIONS } from './move.js';
import type { Operation, Phase } from './types.js';

/** What the guest's boot finds by position: patches inside the volumes, and of the disk's first sectors. */
export interface BootPhases {
  readonly volumes: readonly Phase[];
  /** These come behind the tables, which share the first sector with the boot code. */
  readonly disk: readonly Phase[];
}

/** Compiled when everything has moved. Throws what stands against it, before anything was written. */
export async function bootPhases(input: CompileInput, notes: CompileNotes): Promise<BootPhases> {
  const { plan } = input;
  const edits = await bootEdits(bootInput(input), new Set(plan.request.skipBootFixups));
  notes.fixups.push(...edits.fixups);
  notes.warnings.push(...edits.warnings);
  const places = new Map(plan.after.partitions.map(({ number, startLba }) => [number, startLba]));
  const operation = ({ partition, at, bytes }: BootWrite): Operation => {
    const start = partition === null ? 0 : (places.get(partition) ?? 0) * input.facts.sectorSize;
    return { op: 'write', at: start + at, bytes };
  };
  const inVolumes = edits.writes.filter(({ partition }) => partition !== null);
  const onDisk = edits.writes.filter(({ partition }) => partition === null);
  return {
    volumes: phasesOf('patch what the guest finds by position', inVolumes.map(operation)),
    disk: phasesOf('patch the boot loader', onDisk.map(operation)),
  };
}

function phasesOf(why: string, operations: readonly Operation[]): Phase[] {
  const phases: Phase[] = [];
  for (let at = 0; at < operations.length; at += MAX_OPERATIONS) {
    phases.push({ stage: 'change', why, operations: operations.slice(at, at + MAX_OPERATIONS) });
  }
  return phases;
}

function bootInput({ disk, facts, plan, preview }: CompileInput): BootInput {
  const now = preview.freeze();
  const { sectorSize, table, identity } = facts;
  const windowOf = (reader: Reader, { number, startLba, sectorCount }: LayoutPartition): Reader =>
    windowReader(reader, startLba * sectorSize, sectorCount * sectorSize, `partition ${number}`);
  const partitions = facts.partitions.map((partition): BootPartition => {
    const { number, kind, type, filesystem } = partition;
    const before = partitionOf(plan.before.partitions, number);
    const after = partitionOf(plan.after.partitions, number);
    return {
      number,
      isExtended: kind === 'extended',
      type,
      filesystem: filesystem?.kind ?? null,
      obstacle: writeObstacle(filesystem),
      oldStartLba: before.startLba,
      oldSectorCount: before.sectorCount,
      newStartLba: after.startLba,
      newSectorCount: after.sectorCount,
      before: windowOf(disk.device, before),
      after: windowOf(now, after),
    };
  });
  return { table, sectorSize, diskId: identity.diskId, before: disk.device, after: now, partitions };
}
