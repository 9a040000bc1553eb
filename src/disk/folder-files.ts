import { decodeText, toByteString } from '../codec/lines.js';
import { isFamily, VmreclaimError } from '../core/errors.js';
import type { Store } from '../device/store.js';
import {
  isDescriptor,
  MAX_DESCRIPTOR_BYTES,
  NO_PARENT_CID,
  parseDescriptor,
  type VmdkDescriptor,
} from '../formats/vmdk/index.js';
import { MAX_VMX_BYTES, parseVmsd, parseVmx, type VmsdFile, type VmxFile } from '../formats/vmx/index.js';
import { HIDDEN_SUFFIX } from './names.js';

/** A descriptor in a folder. */
export interface DescriptorFile {
  /** Where it belongs: without the suffix of a hidden one. */
  readonly path: string;
  readonly name: string;
  /** Where its bytes are now. */
  readonly storedAt: string;
  /** Null when it is damaged. */
  readonly parsed: VmdkDescriptor | null;
  /** Names of its extent files; of a damaged one, everything that it quotes. */
  readonly extentNames: readonly string[];
}

/** A file named like a disk: what it is on the store, and the descriptor it holds, if it does. */
export interface VmdkFile {
  readonly name: string;
  readonly inode: string;
  readonly sizeBytes: number;
  readonly descriptor: DescriptorFile | null;
  /** Why it could not be read. */
  readonly error: VmreclaimError | null;
}

/** A virtual machine's configuration in a folder. */
export interface Machine {
  readonly path: string;
  /** File name without `.vmx`: other files of the machine begin with it. */
  readonly stem: string;
  /** Null when it is damaged or cannot be read. */
  readonly vmx: VmxFile | null;
}

/** True when the descriptor is that of a snapshot or linked clone. */
export function hasParent(descriptor: VmdkDescriptor): boolean {
  return descriptor.parentCid !== NO_PARENT_CID || descriptor.parentFileNameHint !== null;
}

/** Last part of a file name, whichever system wrote it. */
export function lastPart(fileName: string): string {
  return fileName.slice(Math.max(fileName.lastIndexOf('/'), fileName.lastIndexOf('\\')) + 1);
}

/** Looks into a file named like a disk: small ones are read whole, of others only the size is asked for. */
export async function readVmdkFile(store: Store, folder: string, name: string): Promise<VmdkFile> {
  const nothing: VmdkFile = { name, inode: '', sizeBytes: 0, descriptor: null, error: null };
  try {
    const storedAt = store.join(folder, name);
    const stat = await store.stat(storedAt);
    if (stat === undefined) return nothing;
    const file = { ...nothing, inode: stat.inode, sizeBytes: stat.sizeBytes };
    if (stat.sizeBytes > MAX_DESCRIPTOR_BYTES) return file;
    const bytes = await store.readFile(storedAt, MAX_DESCRIPTOR_BYTES);
    if (!isDescriptor(bytes)) return file;
    return { ...file, descriptor: toDescriptorFile(store, folder, name, bytes) };
  } catch (error) {
    return { ...nothing, error: asOwnError(error) };
  }
}

/** Reads a .vmx; a damaged or unreadable one is a machine of which only the name is known. */
export async function readMachine(store: Store, folder: string, name: string): Promise<Machine> {
  const path = store.join(folder, name);
  return { path, stem: name.slice(0, -'.vmx'.length), vmx: await readSettings(store, path, parseVmx) };
}

/** Reads a .vmsd; null when it is damaged or cannot be read. */
export async function readSnapshotList(store: Store, folder: string, name: string): Promise<VmsdFile | null> {
  return await readSettings(store, store.join(folder, name), parseVmsd);
}

async function readSettings<T>(
  store: Store,
  path: string,
  parse: (bytes: Uint8Array) => T,
): Promise<T | null> {
  try {
    return parse(await store.readFile(path, MAX_VMX_BYTES));
  } catch (error) {
    asOwnError(error);
    return null;
  }
}

function toDescriptorFile(store: Store, folder: string, name: string, bytes: Uint8Array): DescriptorFile {
  const properName = name.endsWith(HIDDEN_SUFFIX) ? name.slice(0, -HIDDEN_SUFFIX.length) : name;
  const file = { path: store.join(folder, properName), name: properName, storedAt: store.join(folder, name) };
  try {
    const parsed = parseDescriptor(bytes);
    const extentNames = parsed.extents.flatMap((extent) =>
      [extent.fileName, extent.alternateFileName].filter((extentName) => extentName !== null),
    );
    return { ...file, parsed, extentNames };
  } catch (error) {
    if (!isFamily(error, 'damaged')) throw error;
    const quoted = [...toByteString(bytes).matchAll(/"([^"\n]*)"/g)];
    return { ...file, parsed: null, extentNames: quoted.map(([, text = '']) => decodeText(text, null)) };
  }
}

/** Passes on what is not ours: a bug must not look like a file that cannot be read. */
function asOwnError(error: unknown): VmreclaimError {
  if (error instanceof VmreclaimError && error.family !== 'internal') return error;
  throw error;
}
