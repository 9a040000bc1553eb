import { checkOutside, isConcerned, noteOf, skippedWarning } from '../boot/reference.js';
import { type Reason, refusal } from '../core/errors.js';
import type { DiskFacts } from '../inspect/types.js';
import { placeOf } from './check.js';
import type { Places } from './place.js';
import type { LayoutRequest, PlannedFixup } from './types.js';

/** What a plan says of things that the guest finds by position. */
export interface PlannedBoot {
  readonly fixups: readonly PlannedFixup[];
  readonly warnings: readonly Reason[];
}

/**
 * What follows the partitions in registry, boot configuration and boot loaders; the compiler says afterwards what
 * exactly. Throws Refused for what cannot follow, unless the request skips it.
 */
export function planBoot(facts: DiskFacts, places: Places, { skipBootFixups }: LayoutRequest): PlannedBoot {
  const volumes = facts.partitions.filter(({ kind }) => kind !== 'extended');
  const moved = volumes.filter((each) => placeOf(places, each).startLba !== each.startLba);
  const resized = volumes.filter((each) => placeOf(places, each).sectorCount !== each.sectorCount);
  const changes = { moved: moved.map(({ number }) => number), resized: resized.map(({ number }) => number) };
  if (moved.length + resized.length === 0) return { fixups: [], warnings: [] };
  const fixups: PlannedFixup[] = [];
  const warnings: Reason[] = [];
  const newPlaces = [...new Set([...moved, ...resized])].map((each) => {
    const { startLba, sectorCount } = placeOf(places, each);
    return { at: startLba * facts.sectorSize, length: sectorCount * facts.sectorSize };
  });
  for (const site of facts.boot) {
    if (!skipBootFixups.includes(site.kind)) checkOutside(site, newPlaces);
    if (!isConcerned(site, changes)) {
      if (site.safe !== null) fixups.push(noteOf(site, site.safe));
      continue;
    }
    if (skipBootFixups.includes(site.kind)) {
      warnings.push(skippedWarning(site));
      continue;
    }
    const { obstacle } = site;
    if (obstacle !== null) throw refusal(obstacle);
    fixups.push(noteOf(site, 'follows the partitions'));
  }
  if (moved.length > 0) warnings.push(...elsewhere(facts));
  return { fixups, warnings };
}

/** A Windows on another disk of the machine knows the volumes of an MBR disk by their old places. */
function elsewhere({ table, vm }: DiskFacts): Reason[] {
  const others = vm?.otherDisks ?? [];
  const isOther = vm?.guestOs != null && !/^win/i.test(vm.guestOs);
  if (table !== 'mbr' || others.length === 0 || isOther) return [];
  return [
    {
      code: 'windows-on-other-disk',
      message: `the virtual machine has other disks (${others.join(', ')}): a Windows there knows volumes of this disk by their old places, and is not adapted`,
      hint: 'if it boots from, or gives drive letters to, volumes of this disk: check the letters in its Disk Management after the move',
    },
  ];
}
