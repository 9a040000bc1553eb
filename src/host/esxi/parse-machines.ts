import { cleanText } from '../../core/text.js';

/** A file as VMware names it: `[datastore] folder/file`. */
export interface DatastorePath {
  readonly datastore: string;
  /** Below the datastore. */
  readonly path: string;
}

/** What `vmsvc/get.summary` says of a machine. */
export interface MachineSummary {
  readonly vmx: DatastorePath;
  /** Null where it is not understood. */
  readonly name: string | null;
  readonly guestOs: string | null;
}

export interface Datastore {
  readonly name: string;
  /** Where it is mounted. */
  readonly path: string;
  /** `VMFS`, `NFS`, `NFS41`, `vsan` ... */
  readonly type: string;
}

/**
 * Takes `[datastore] folder/file` apart; undefined when it is none. A name may hold brackets, so this is one way of more: which it is,
 * the datastores that are there tell.
 */
export function parseDatastorePath(text: string): DatastorePath | undefined {
  const [, datastore, path] = /^\[(.+?)\] (\S.*)$/.exec(text) ?? [];
  if (datastore === undefined || path === undefined || path.split('/').includes('..')) return undefined;
  return { datastore, path };
}

/**
 * Ids of the machines of `vmsvc/getallvms` whose row holds a text. The columns have no fixed place, names hold anything, and
 * an annotation may go on over lines that look like rows: so a row only says whom to ask, by `get.summary`.
 */
export function machineIdsOf(output: string, text: string): string[] {
  const ids = output
    .split('\n')
    .filter((line) => line.includes(text))
    .flatMap((line) => /^(\d{1,10})\s/.exec(line)?.slice(1, 2) ?? []);
  return [...new Set(ids)];
}

/** True for the answer of `vmsvc/getallvms`, with or without machines. */
export const isMachineList = (output: string): boolean => /^Vmid\s+Name\s+File\s+/m.test(output);

/**
 * The answer of `vmsvc/get.summary`; undefined when it is not understood. Strings are printed without escapes, and an
 * annotation may hold lines that look like keys: what comes twice is not understood.
 */
export function parseSummary(output: string): MachineSummary | undefined {
  const [vmPathName, ...more] = valuesOf(output, 'vmPathName');
  const vmx = vmPathName === undefined || more.length > 0 ? undefined : parseDatastorePath(vmPathName);
  if (vmx === undefined) return undefined;
  const name = /config = \(vim\.vm\.Summary\.ConfigSummary\) \{\s*name = "(.*)",?\s*$/m.exec(output)?.[1];
  const systems = valuesOf(output, 'guestFullName').filter((text) => text !== '');
  return {
    vmx,
    name: name === undefined || cleanText(name) === '' ? null : cleanText(name),
    guestOs: systems[0] === undefined ? null : cleanText(systems[0]),
  };
}

/** The datastores of `hostsvc/datastore/listsummary`; undefined when it is not understood. */
export function parseDatastores(output: string): Datastore[] | undefined {
  const blocks = output.split(/\(vim\.Datastore\.Summary\) \{/).slice(1);
  const found: Datastore[] = [];
  for (const block of blocks) {
    const [name, ...names] = valuesOf(block, 'name');
    const [url, ...urls] = valuesOf(block, 'url');
    const [type, ...types] = valuesOf(block, 'type');
    const path = /^(?:ds:\/\/)?(\/.*?)\/?$/.exec(url ?? '')?.[1];
    const isTwice = names.length + urls.length + types.length > 0;
    if (name === undefined || path === undefined || type === undefined || isTwice) return undefined;
    found.push({ name, path, type });
  }
  return found.length === 0 ? undefined : found;
}

/** All values of `key = "value",` lines. */
function valuesOf(output: string, key: string): string[] {
  const line = new RegExp(`^\\s*${key} = "(.*)",?\\s*$`, 'gm');
  return [...output.matchAll(line)].map(([, value = '']) => value);
}
