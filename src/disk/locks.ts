import type { Reason } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { MachineLinks } from './machines.js';
import type { Subject } from './subject.js';

/** Digits of an inode number in the name of an NFS lock file. */
const INODE_HEX_DIGITS = 16;

/**
 * Signs that somebody uses the disk: lock files of ESXi on NFS and of Workstation, the swap file of a running
 * machine, the state file of a suspended one (domain 7.3). On VMFS the lock shows when the file is opened.
 */
export async function usageReasons(subject: Subject, links: MachineLinks): Promise<Reason[]> {
  const { suspendFiles, swapFiles } = subject.folder;
  const reasons: Reason[] = [];
  const lock = nfsLock(subject) ?? (await hostedLock(subject, links));
  if (lock !== undefined) {
    reasons.push({
      code: 'locked',
      message: `the lock ${cleanText(lock)} says that somebody uses the disk`,
      hint: 'power the virtual machine off; if no program uses the disk any more, the lock is stale: remove it',
    });
  }
  const swap = swapFiles.find(links.concerns);
  if (swap !== undefined) {
    reasons.push({
      code: 'running',
      message: `the swap file ${cleanText(swap.name)} says that the virtual machine runs`,
      hint: 'shut it down; a swap file left behind by a crash goes when it is powered on and off once',
    });
  }
  const suspended = suspendFiles.find(links.concerns);
  if (suspended !== undefined && !links.reasons.some(({ code }) => code === 'suspended')) {
    reasons.push({
      code: 'suspended',
      message: `the virtual machine is suspended (${cleanText(suspended.name)})`,
      hint: 'resume it and shut the guest down; if it is not suspended, the file is a leftover: remove it',
    });
  }
  return reasons;
}

/**
 * `.lck-` and the file's inode as hex, low byte first. A lock of another disk in the folder is not ours; one
 * that fits no file, or where inodes are not known, may be.
 */
function nfsLock({ folder, fileNames }: Subject): string | undefined {
  if (folder.nfsLocks.length === 0) return undefined;
  const others = new Set<string>();
  for (const { name, inode } of folder.vmdkFiles.values()) {
    if (!fileNames.includes(name)) others.add(lockName(inode));
  }
  return folder.nfsLocks.find((name) => !others.has(name.toLowerCase()));
}

function lockName(inode: string): string {
  if (!/^\d{1,20}$/.test(inode)) return '';
  const hex = BigInt(inode).toString(16).padStart(INODE_HEX_DIGITS, '0');
  const lowByteFirst = hex.match(/../g)?.reverse().join('') ?? '';
  return `.lck-${lowByteFirst}`;
}

/** `x.vmdk.lck`: a folder with a file for each owner, or (VMFS) a file. Empty folders are left behind by VMware. */
async function hostedLock(subject: Subject, links: MachineLinks): Promise<string | undefined> {
  const { store, folder, fileNames } = subject;
  const machineNames = links.machines.map(({ path }) => store.nameOf(path));
  for (const name of [...fileNames, ...machineNames]) {
    const lock = `${name}.lck`;
    const kind = folder.entries.get(lock);
    if (kind === undefined) continue;
    if (kind !== 'folder' || (await store.list(store.join(folder.path, lock))).length > 0) return lock;
  }
  return undefined;
}
