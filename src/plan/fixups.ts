import type { Reason } from '../core/errors.js';
import type { DiskFacts } from '../inspect/types.js';
import { isChanged, placeOf } from './check.js';
import type { Places } from './place.js';
import type { LayoutRequest, PlannedFixup } from './types.js';

/** File systems that keep the start of their partition in the boot sector. */
const KEEPS_HIDDEN_SECTORS = new Set(['ntfs', 'fat12', 'fat16', 'fat32', 'exfat']);

/** What else changes with the layout, as sentences; the compiler says afterwards what it really wrote. */
export function plannedFixups(facts: DiskFacts, places: Places, sizeBytes: number): PlannedFixup[] {
  return [
    ...volumeFixups(facts, places),
    ...tableFixups(facts, places, sizeBytes),
    ...fileFixups(facts, sizeBytes),
  ];
}

function volumeFixups(facts: DiskFacts, places: Places): PlannedFixup[] {
  return facts.partitions.flatMap((partition) => {
    const kind = partition.filesystem?.kind;
    const to = placeOf(places, partition).startLba;
    if (kind === undefined || !KEEPS_HIDDEN_SECTORS.has(kind) || to === partition.startLba) return [];
    const message = `hidden sectors in the boot sectors follow the partition: ${partition.startLba} -> ${to}`;
    return [{ kind: 'hidden-sectors', partition: partition.number, message }];
  });
}

function tableFixups(facts: DiskFacts, places: Places, sizeBytes: number): PlannedFixup[] {
  const changes = facts.partitions.some((partition) => isChanged(facts, places, partition));
  if (!changes && (facts.table !== 'gpt' || sizeBytes === facts.sizeBytes)) return [];
  const message =
    facts.table === 'gpt'
      ? 'both copies of the GPT are written anew; slots, GUIDs and names stay'
      : 'MBR and EBR entries get the new places, with CHS values in the table’s own style; slots and disk signature stay';
  return [{ kind: 'partition-table', partition: null, message }];
}

function fileFixups(facts: DiskFacts, sizeBytes: number): PlannedFixup[] {
  const fixups: PlannedFixup[] = [];
  const add = (kind: string, message: string) => fixups.push({ kind, partition: null, message });
  if (sizeBytes !== facts.sizeBytes)
    add(
      'disk-size',
      `the disk ${sizeBytes < facts.sizeBytes ? 'is cut' : 'grows'} from ${facts.sizeBytes} to ${sizeBytes} bytes`,
    );
  if (facts.createType === 'raw') return fixups;
  add(
    'content-id',
    'the descriptor gets a new content id, so that no forgotten snapshot can be used with the changed disk',
  );
  if (facts.changeTracking) {
    add(
      'change-tracking',
      'changed block tracking is switched off and its file removed: it cannot know of this change',
    );
  }
  return fixups;
}

const THIN_ON_VMFS: Reason = {
  code: 'vmfs-thin',
  message: 'the disk is thin: a datastore of VMFS gives the zeroed blocks back only when it is told to',
  hint: 'on the host, with the machine switched off: vmkfstools -K and the path of the descriptor',
};

/** What the operator should know before saying yes. */
export function plannedWarnings(facts: DiskFacts, command: LayoutRequest['command']): Reason[] {
  const warnings = [...facts.warnings];
  if (command === 'zero' && facts.thinOnVmfs) warnings.push(THIN_ON_VMFS);
  if (facts.changeTracking) {
    warnings.push({
      code: 'change-tracking-reset',
      message: 'incremental backups that rely on changed block tracking would miss this change',
      hint: 'enable change tracking again afterwards and run a full backup',
    });
  }
  return warnings;
}
