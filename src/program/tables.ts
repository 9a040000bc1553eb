import { editGpt } from '../formats/gpt/index.js';
import { editMbr } from '../formats/mbr/index.js';
import type { MetadataWrite } from '../formats/types.js';
import type { CompileInput } from './compile-input.js';
import type { Phase } from './types.js';

/**
 * The partition tables, one phase a group: each is durable before the next begins. EBRs before the MBR; backup GPT
 * before the primary: at every cut one table is whole.
 */
export function* tablePhases({ facts, plan }: CompileInput): Generator<Phase> {
  const diskSectors = Math.floor(plan.after.sizeBytes / facts.sectorSize);
  const partitions = new Map(
    plan.after.partitions.map((partition) => [partition.number, partition] as const),
  );
  if (facts.table === 'gpt' && facts.gpt !== null) {
    for (const group of editGpt(facts.gpt, { diskSectors, partitions })) yield phaseOf(group);
    return;
  }
  if (facts.table !== 'mbr' || facts.mbr === null) return;
  const ebrs = new Map<number, number>();
  for (const { number, ebrLba } of plan.after.partitions) if (ebrLba !== null) ebrs.set(number, ebrLba);
  const writes = editMbr(facts.mbr, { geometry: facts.geometry, diskSectors, partitions, ebrs });
  for (const write of writes) yield phaseOf([write]);
}

function phaseOf(writes: readonly MetadataWrite[]): Phase {
  return {
    stage: 'change',
    why: writes.map(({ why }) => why).join(', '),
    operations: writes.map(({ at, bytes }) => ({ op: 'write', at, bytes })),
  };
}
