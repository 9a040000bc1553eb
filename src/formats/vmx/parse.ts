import { decodeText, parseEntry, splitLines, type TextLine, withoutMark } from '../../codec/lines.js';
import { damaged, type Reason } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';

/** Largest .vmx or .vmsd read. Real ones have a few KiB; guestinfo variables can add up to a MiB. */
export const MAX_VMX_BYTES = 4 * 1024 * 1024;

const IGNORED = /^[\s\0]*(?:#|$)/;
/** Characters of a bad line that an error quotes. */
const QUOTED_CHARACTERS = 80;
const DEVICE_KEY = /^((?:scsi|sata|ide|nvme)\d{1,3}:\d{1,3})\.(\w+)$/;

/** One setting: the decoded value and the line it came from. */
export interface VmxEntry {
  readonly value: string;
  readonly line: TextLine;
}

/** A disk that a .vmx attaches. */
export interface VmxDisk {
  /** `scsi0:0`, in lower case. */
  readonly device: string;
  /** As written: relative to the folder of the .vmx, or absolute. */
  readonly fileName: string;
  /** Other virtual machines may have it open at the same time. */
  readonly multiWriter: boolean;
}

/** What this program needs of a virtual machine's configuration. */
export interface VmxFile {
  readonly displayName: string | null;
  readonly guestOs: string | null;
  readonly disks: readonly VmxDisk[];
  /** Some ctkEnabled key is TRUE. */
  readonly changeTracking: boolean;
  /** A vSphere Replication filter is attached. */
  readonly replicated: boolean;
  /** File of a suspended virtual machine's memory and state; null when it is not suspended. */
  readonly suspendedState: string | null;
}

/** What a snapshot list (.vmsd) says. */
export interface VmsdFile {
  readonly snapshotCount: number;
  /** Disks that the snapshots hold, as named there. */
  readonly diskFileNames: readonly string[];
}

/**
 * Reads a .vmx. Keys are compared without case, `|XX` stands for the byte XX, `.encoding` names the character
 * set. Damaged, with the line number, for a line that is no setting (VMware does not start such a machine).
 */
export function parseVmx(bytes: Uint8Array): VmxFile {
  const settings = readSettings(bytes);
  const text = (key: string): string | null => settings.get(key)?.value || null;
  return {
    displayName: text('displayname'),
    guestOs: text('guestos'),
    disks: attachedDisks(settings),
    changeTracking: some(settings, (key, value) => isChangeTrackingKey(key) && isTrue(value)),
    replicated: some(
      settings,
      (key, value) => key.startsWith('hbr_filter.') || (key.endsWith('.filters') && /hbr/i.test(value)),
    ),
    suspendedState: text('checkpoint.vmstate'),
  };
}

/** Reads a .vmsd, which has the same grammar. */
export function parseVmsd(bytes: Uint8Array): VmsdFile {
  const settings = readSettings(bytes);
  const count = settings.get('snapshot.numsnapshots')?.value.trim() ?? '';
  const diskFileNames = [...settings]
    .filter(([key]) => /^snapshot\d+\.disk\d+\.filename$/.test(key))
    .map(([, { value }]) => value);
  // What is no number is taken as a snapshot: a wrong refusal costs less than a wrong change.
  return { snapshotCount: count === '' ? 0 : /^\d{1,9}$/.test(count) ? Number(count) : 1, diskFileNames };
}

/** Why a disk of this virtual machine must not be changed, as far as its .vmx tells. */
export function vmxRefusals(vmx: VmxFile): Reason[] {
  const reasons: Reason[] = [];
  if (vmx.replicated) {
    reasons.push({
      code: 'replicated',
      message: 'vSphere Replication follows the disk and would not see the change',
      hint: 'stop the replication of the virtual machine, and set it up again with a full sync afterwards',
    });
  }
  if (vmx.suspendedState !== null) {
    reasons.push({
      code: 'suspended',
      message: `the virtual machine is suspended (${cleanText(vmx.suspendedState)})`,
      hint: 'resume it and shut the guest down',
    });
  }
  return reasons;
}

/** Settings by key in lower case; the last of several wins. */
export function readSettings(bytes: Uint8Array): ReadonlyMap<string, VmxEntry> {
  if (bytes.length > MAX_VMX_BYTES) {
    throw damaged('vmx-too-large', 'the file is too large for a virtual machine configuration', {
      expected: MAX_VMX_BYTES,
      actual: bytes.length,
    });
  }
  const raw = new Map<string, VmxEntry>();
  for (const line of splitLines(bytes)) {
    const text = withoutMark(line);
    if (IGNORED.test(text)) continue;
    const entry = parseEntry(text);
    if (entry === undefined) {
      throw damaged('vmx', `line ${line.number} of the virtual machine configuration is no setting`, {
        offset: line.at,
        actual: cleanText(decodeText(text.slice(0, QUOTED_CHARACTERS), null)),
      });
    }
    raw.set(entry.key.toLowerCase(), { value: entry.value, line });
  }
  const encoding = raw.get('.encoding')?.value || null;
  return new Map(
    [...raw].map(([key, { value, line }]) => [key, { value: unescapeBars(value, encoding), line }]),
  );
}

/** `ctkEnabled` and `scsi0:0.ctkEnabled`; the key in lower case. */
export function isChangeTrackingKey(key: string): boolean {
  return key === 'ctkenabled' || key.endsWith('.ctkenabled');
}

/** VMware takes TRUE in any case, and 1. */
export function isTrue(value: string): boolean {
  return /^(?:true|1|yes)$/i.test(value.trim());
}

/** `|22` is a quote, `|7C` a bar: bytes of the file's character set, so unescaping comes before decoding. */
function unescapeBars(value: string, encoding: string | null): string {
  const plain = value.replace(/\|([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return decodeText(plain, encoding);
}

function some(
  settings: ReadonlyMap<string, VmxEntry>,
  test: (key: string, value: string) => boolean,
): boolean {
  return [...settings].some(([key, { value }]) => test(key, value));
}

/** Disks only: no CD-ROM drives, no absent devices. Without `present` it counts, so that nothing is missed. */
function attachedDisks(settings: ReadonlyMap<string, VmxEntry>): VmxDisk[] {
  const disks: VmxDisk[] = [];
  for (const [key, { value: fileName }] of settings) {
    const [, device = '', property = ''] = DEVICE_KEY.exec(key) ?? [];
    if (property !== 'filename' || !/^[^\0]+\.vmdk$/i.test(fileName)) continue;
    const setting = (name: string): string => settings.get(`${device}.${name}`)?.value ?? '';
    const present = setting('present');
    if ((present !== '' && !isTrue(present)) || /cdrom|floppy/i.test(setting('devicetype'))) continue;
    disks.push({ device, fileName, multiWriter: /^multi-?writer$/i.test(setting('sharing')) });
  }
  return disks;
}
