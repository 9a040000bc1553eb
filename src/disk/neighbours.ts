import type { Reason } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { changeTracking } from './change-tracking.js';
import { usageReasons } from './locks.js';
import { machineLinks, vmFacts } from './machines.js';
import { snapshotReasons } from './snapshots.js';
import type { Subject } from './subject.js';
import type { DiskSource } from './types.js';

/** What the files around a disk say of it. */
export type Neighbourhood = Pick<DiskSource, 'vm' | 'changeTracking' | 'reasons' | 'warnings'>;

/** Looks at everything beside the disk that stands against a change: each reason comes with its remedy. */
export async function inspectNeighbours(subject: Subject): Promise<Neighbourhood> {
  const links = await machineLinks(subject);
  const tracking = changeTracking(subject);
  const reasons = [
    ...(await snapshotReasons(subject, links)),
    ...sharedExtents(subject),
    ...links.reasons,
    ...(await usageReasons(subject, links)),
    ...tracking.reasons,
  ];
  return {
    vm: vmFacts(links),
    changeTracking: tracking.found,
    reasons,
    warnings: unreadableNeighbours(subject),
  };
}

/** Another descriptor over the same bytes would be wrong after the change. */
function sharedExtents({ folder, fileNames, path }: Subject): Reason[] {
  const others = fileNames.flatMap((name) => folder.byExtentName.get(name) ?? []);
  const other = others.find((descriptor) => descriptor.path !== path);
  if (other === undefined) return [];
  return [
    {
      code: 'shared-extent',
      message: `the descriptor ${cleanText(other.name)} names the same extent file`,
      hint: 'move the descriptor that is not used out of the folder',
    },
  ];
}

function unreadableNeighbours({ folder, fileNames }: Subject): Reason[] {
  const unreadable = [...folder.vmdkFiles.values()].filter(
    ({ name, error }) => error !== null && !fileNames.includes(name),
  );
  return unreadable.slice(0, 1).map(({ name }) => ({
    code: 'neighbour-unreadable',
    message: `${cleanText(name)} cannot be read, so it is not known whether it is a snapshot of the disk`,
  }));
}
