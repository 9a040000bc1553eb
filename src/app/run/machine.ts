import type { Location, RemoteMachine } from '../../backends/registry.js';
import { refused } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { Store } from '../../device/store.js';
import { discover } from '../../disk/discover.js';
import { openSource } from '../../disk/open.js';
import type { DiskSource } from '../../disk/types.js';
import type { OpenOptions } from '../open.js';

/** The virtual machine that a target means, and its disks that are to be worked on. */
export interface Machine {
  readonly store: Store;
  readonly remote: RemoteMachine | undefined;
  /** Its .vmx; null for a disk that no machine in its folder uses. */
  readonly vmx: string | null;
  readonly name: string;
  readonly disks: readonly string[];
}

/** The machine of a .vmx with all its disks, or of one disk with that disk alone. */
export async function findMachine({ store, path, remote }: Location, options: OpenOptions): Promise<Machine> {
  if (!/\.vmx$/i.test(path)) {
    const source = await openSource(store, path, options);
    const name = source.vm?.name ?? cleanText(store.nameOf(source.path));
    return { store, remote, name, vmx: source.vm?.path ?? null, disks: [source.path] };
  }
  const disks: string[] = [];
  for await (const found of discover(store, path)) {
    if (found.error !== undefined) throw found.error;
    disks.push(found.path);
  }
  if (disks.length === 0) {
    throw refused('no-disks', `${cleanText(path)} names no disks`, {
      path,
      hint: 'if a run was stopped while it put a disk back (--reattach), `vmreclaim history` names it: add it to the machine again',
    });
  }
  // Links are followed, so a disk may find its machine by another name of the same file.
  const vmx = await store.realPath(path);
  let name: string | undefined;
  for (const disk of disks) {
    const { vm } = await openSource(store, disk, options);
    if (vm === null || vm === undefined) continue;
    if ((await store.realPath(vm.path)) !== vmx) throw sharedDisk(disk, vm.path);
    name ??= vm.name ?? undefined;
  }
  return { store, remote, vmx, name: name ?? cleanText(store.nameOf(path)), disks };
}

/** Asking one machine whether it is off says nothing about the other. */
const sharedDisk = (disk: string, vmx: string) =>
  refused('shared-disk', `${cleanText(disk)} belongs to another virtual machine as well: ${cleanText(vmx)}`, {
    hint: 'take the disk off one of them, or name the disk instead of the .vmx',
  });

/** What says that a machine uses a disk, and goes when it is switched off. */
const SIGNS_OF_USE: readonly string[] = ['running', 'locked'];

/** The source without the signs of use that a machine which is known to run leaves. */
export const asIfOff = (source: DiskSource): DiskSource => ({
  ...source,
  reasons: source.reasons.filter(({ code }) => !SIGNS_OF_USE.includes(code)),
});

/** A sign that the disk is in use; undefined: there is none. */
export const signOfUse = ({ reasons }: DiskSource) => reasons.find(({ code }) => SIGNS_OF_USE.includes(code));

/** A run on it did not come to its end, or its descriptor is hidden. */
export const isUnfinished = ({ reasons }: DiskSource): boolean =>
  reasons.some(({ code }) => code === 'interrupted' || code === 'hidden-descriptor');
