import type { Reason } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import { vmxRefusals } from '../formats/vmx/index.js';
import type { Attachment, MachineFile } from './folder.js';
import { lastPart, type Machine } from './folder-files.js';
import { isStandalone, meansDisk, type Subject } from './subject.js';
import type { VmFacts } from './types.js';

/** How the machines of the folder relate to a disk. */
export interface MachineLinks {
  /** Machines that use the disk, directly or through a snapshot. */
  readonly machines: readonly Machine[];
  /** Names of the disk's snapshots that machines use. */
  readonly deltas: readonly string[];
  /** Names of the other disks of the first machine. */
  readonly otherDisks: readonly string[];
  readonly reasons: readonly Reason[];
  /** Does a file of a machine (swap, suspended state, snapshot list) stand for this disk's machine? */
  concerns(file: MachineFile): boolean;
}

/** Finds the machines that use the disk and what their .vmx files say against a change. */
export async function machineLinks(subject: Subject): Promise<MachineLinks> {
  const direct = await attachmentsTo(subject);
  const delta = await attachmentsToDeltas(subject);
  const machines = [...new Set([...direct, ...delta].map(({ machine }) => machine))];
  const reasons = machines.flatMap(({ vmx }) => (vmx === null ? [] : vmxRefusals(vmx)));
  return {
    machines,
    deltas: delta.map(({ fileName }) => fileName),
    otherDisks: await otherDisks(subject, machines[0], delta),
    reasons: [...reasons, ...sharedReasons(machines, direct), ...damagedReasons(subject)],
    concerns: ({ owner }) => owner === null || owner.vmx === null || machines.includes(owner),
  };
}

/** What the report shows of the machine; the first one when several use the disk. */
export function vmFacts({ machines, otherDisks: others }: MachineLinks): VmFacts | null {
  const [machine] = machines;
  if (machine === undefined) return null;
  const { vmx, stem, path } = machine;
  const guestOs = cleanText(vmx?.guestOs ?? '');
  return {
    name: cleanText(vmx?.displayName ?? stem),
    guestOs: guestOs === '' ? null : guestOs,
    path,
    otherDisks: others.map(cleanText),
  };
}

async function otherDisks(
  subject: Subject,
  machine: Machine | undefined,
  deltas: readonly Attachment[],
): Promise<string[]> {
  const own = new Set(deltas.map(({ fileName }) => fileName));
  const found: string[] = [];
  for (const { fileName } of machine?.vmx?.disks ?? []) {
    const folder = subject.store.folderOf(machine?.path ?? '');
    if (!own.has(fileName) && !(await meansDisk(subject, folder, fileName))) found.push(fileName);
  }
  return found;
}

async function attachmentsTo(subject: Subject): Promise<Attachment[]> {
  const name = subject.store.nameOf(subject.path);
  const found: Attachment[] = [];
  for (const attachment of subject.folder.attachments.get(name) ?? []) {
    const folder = subject.store.folderOf(attachment.machine.path);
    if (await meansDisk(subject, folder, attachment.fileName)) found.push(attachment);
  }
  return found;
}

/**
 * Machines whose fileName is a snapshot of this disk, `x-000002.vmdk`: whether it is still there or not. One
 * that lies in another folder may belong to another disk, so only names in this folder count.
 */
async function attachmentsToDeltas(subject: Subject): Promise<Attachment[]> {
  const found: Attachment[] = [];
  for (const attachment of subject.folder.deltaAttachments.get(subject.stem) ?? []) {
    const name = lastPart(attachment.fileName);
    if (isStandalone(subject, name)) continue;
    const delta = { ...subject, path: subject.store.join(subject.folder.path, name) };
    const folder = subject.store.folderOf(attachment.machine.path);
    if (await meansDisk(delta, folder, attachment.fileName)) found.push(attachment);
  }
  return found;
}

function sharedReasons(machines: readonly Machine[], direct: readonly Attachment[]): Reason[] {
  const shared = machines.length > 1 || direct.some(({ multiWriter }) => multiWriter);
  if (!shared) return [];
  const names = machines.map(({ path }) => cleanText(path)).join(', ');
  return [
    {
      code: 'shared-disk',
      message: `more than one virtual machine may use the disk (${names})`,
      hint: 'leave it attached to one virtual machine, without multi-writer sharing',
    },
  ];
}

/** A .vmx that cannot be read could name snapshots or filters of this very disk. */
function damagedReasons({ folder }: Subject): Reason[] {
  return folder.machines
    .filter(({ vmx }) => vmx === null)
    .slice(0, 1)
    .map(({ path }) => ({
      code: 'vmx-damaged',
      message: `${cleanText(path)} cannot be read, so it is not known what it says of the disk`,
      hint: 'repair the file or move it out of the folder',
    }));
}
