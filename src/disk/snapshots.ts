import type { Reason } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { NO_PARENT_CID } from '../formats/vmdk/index.js';
import type { SnapshotList } from './folder.js';
import type { DescriptorFile } from './folder-files.js';
import type { MachineLinks } from './machines.js';
import { isStandalone, meansDisk, type Subject } from './subject.js';

/** Names listed in a message: enough to find the culprit. */
const NAMES_SHOWN = 3;
/** What writers put into new disks: equal CIDs of this kind are no sign of kinship. */
const COMMON_CONTENT_IDS = new Set([NO_PARENT_CID, 'fffffffe', '00000000']);

/**
 * Snapshots and linked clones of the disk: they hold sectors that replace the disk's at fixed places, so
 * changing the disk destroys them. Looked for in all the places where they leave a trace, since the snapshot
 * manager may show none while a delta is still there (domain 3.6).
 */
export async function snapshotReasons(subject: Subject, links: MachineLinks): Promise<Reason[]> {
  const evidence = [
    ...(await children(subject)).map((name) => `${name} has it as parent`),
    ...deltaFiles(subject).map((name) => `${name} is there`),
    ...links.deltas.map((name) => `a virtual machine uses ${name}`),
    ...snapshotLists(subject, links),
  ].map(cleanText);
  if (evidence.length === 0) return [];
  const more = evidence.length > NAMES_SHOWN ? ` and ${evidence.length - NAMES_SHOWN} more` : '';
  return [
    {
      code: 'snapshots',
      message: `the disk has snapshots or linked clones: ${evidence.slice(0, NAMES_SHOWN).join('; ')}${more}`,
      hint: 'delete all snapshots of the virtual machine, or consolidate its disks; move leftover delta files away if nothing needs them',
    },
  ];
}

function deltaFiles(subject: Subject): string[] {
  return (subject.folder.deltas.get(subject.stem) ?? []).filter((name) => {
    const descriptorName = name.replace(/(-\d{6}).*(\.vmdk)$/i, '$1$2');
    return !isStandalone(subject, name) && !isStandalone(subject, descriptorName);
  });
}

async function children(subject: Subject): Promise<string[]> {
  const names: string[] = [];
  for (const child of subject.folder.children) {
    if (child.path !== subject.path && (await isChild(subject, child))) names.push(child.name);
  }
  return names;
}

/** By the name it gives, or, when that leads nowhere (the folder was moved), by the content id. */
async function isChild(subject: Subject, child: DescriptorFile): Promise<boolean> {
  const { store, folder, descriptor } = subject;
  const hint = child.parsed?.parentFileNameHint ?? null;
  if (hint !== null && (await meansDisk(subject, folder.path, hint))) return true;
  const parentCid = child.parsed?.parentCid;
  if (descriptor === null || parentCid !== descriptor.cid || COMMON_CONTENT_IDS.has(parentCid)) return false;
  if (hint === null || hint.includes('\0')) return true;
  const parent = store.isAbsolute(hint) ? hint : store.join(folder.path, hint);
  return (await store.stat(parent)) === undefined;
}

function snapshotLists(subject: Subject, links: MachineLinks): string[] {
  return subject.folder.snapshotLists
    .filter((list) => list.vmsd === null || list.vmsd.snapshotCount > 0)
    .filter((list) => links.concerns(list) || namesDisk(subject, list))
    .map(({ name, vmsd }) => `${name} ${vmsd === null ? 'is damaged' : `lists ${vmsd.snapshotCount}`}`);
}

function namesDisk(subject: Subject, { vmsd }: SnapshotList): boolean {
  const name = subject.store.nameOf(subject.path);
  return vmsd?.diskFileNames.some((fileName) => fileName.endsWith(name)) ?? false;
}
