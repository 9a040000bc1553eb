import type { Reason } from '../../core/errors.js';
import type { FilesystemState } from '../types.js';
import { findInRoot } from './directory.js';
import { ATTRIBUTE_TYPE, RECORD, VOLUME_INFORMATION } from './layout.js';
import { type LogState, readLogState } from './log-file.js';
import type { NtfsVolume } from './volume.js';

/** Volume flags that mean unfinished work. 0x0080 is set on nearly every Windows 10 volume and means nothing. */
const UNFINISHED: readonly { readonly flag: number; readonly what: string }[] = [
  { flag: 0x0001, what: 'marked dirty' },
  { flag: 0x0010, what: 'in the middle of deleting its change journal' },
  { flag: 0x4000, what: 'in the middle of chkdsk' },
];

/** NT 4.0, Windows 2000, Windows XP and everything since. */
const KNOWN_VERSIONS: readonly string[] = ['1.2', '3.0', '3.1'];

/** Of $VOLUME_NAME and $VOLUME_INFORMATION. Windows allows labels of 32 letters, the format 128. */
const MAX_VALUE_BYTES = 256;

/** The header of hiberfil.sys. */
const HIBERFIL_HEADER_BYTES = 4096;
/** First four bytes of a hiberfil.sys that nothing can be resumed from. */
const RESUMED = 'WAKE';
const HIBERNATED = 'HIBR';

const FULL_SHUTDOWN_HINT =
  'start the guest, run `powercfg /h off`, then shut it down fully with `shutdown /s /f /t 0`';

/** The volume's own words about itself. */
export interface VolumeState {
  readonly label: string | null;
  readonly state: FilesystemState;
  /** What stands against changing it. */
  readonly reasons: readonly Reason[];
}

/** Reads label, volume flags, hibernation and $LogFile. Throws Damaged when they cannot be read. */
export async function readVolumeState(volume: NtfsVolume): Promise<VolumeState> {
  const { label, flags, version } = await readVolumeFile(volume);
  const unknown = versionReason(version);
  const hibernation = await hibernationReason(volume);
  const dirty = dirtyReason(flags);
  const log = logReason(await readLog(volume));
  const found: readonly (readonly [FilesystemState, Reason | undefined])[] = [
    ['unknown', unknown],
    ['hibernated', hibernation],
    ['dirty', dirty],
    ['needs-recovery', log],
  ];
  const [worst] = found.find(([, reason]) => reason !== undefined) ?? ['clean'];
  return { label, state: worst, reasons: found.flatMap(([, reason]) => reason ?? []) };
}

interface VolumeFile {
  readonly label: string | null;
  readonly flags: number;
  readonly version: string;
}

async function readVolumeFile(volume: NtfsVolume): Promise<VolumeFile> {
  const record = await volume.readFile(RECORD.volume);
  const information = await volume.openStream(record, ATTRIBUTE_TYPE.volumeInformation);
  if (information === undefined) throw record.error('$Volume has no $VOLUME_INFORMATION');
  const { majorVersion, minorVersion, flags } = VOLUME_INFORMATION.decode(
    await information.readAll(MAX_VALUE_BYTES),
  );
  const name = await volume.openStream(record, ATTRIBUTE_TYPE.volumeName);
  const text = new TextDecoder('utf-16le').decode(
    (await name?.readAll(MAX_VALUE_BYTES)) ?? new Uint8Array(0),
  );
  return { label: text === '' ? null : text, flags, version: `${majorVersion}.${minorVersion}` };
}

function versionReason(version: string): Reason | undefined {
  if (KNOWN_VERSIONS.includes(version)) return undefined;
  return {
    code: 'ntfs-version',
    message: `NTFS version ${version} is not known to this program`,
    hint: 'start the guest and run `chkdsk /f` on the volume; if the version stays, leave this partition where it is',
  };
}

function dirtyReason(flags: number): Reason | undefined {
  const found = UNFINISHED.filter(({ flag }) => (flags & flag) !== 0).map(({ what }) => what);
  if (found.length === 0) return undefined;
  return {
    code: 'ntfs-dirty',
    message: `the NTFS volume is ${found.join(' and ')}`,
    hint: 'start the guest, run `chkdsk /f` on the volume, then shut it down fully with `shutdown /s /f /t 0`',
  };
}

async function readLog(volume: NtfsVolume): Promise<LogState> {
  const record = await volume.readFile(RECORD.logFile);
  const log = await volume.openStream(record, ATTRIBUTE_TYPE.data);
  return log === undefined || !log.isPlain ? 'unreadable' : readLogState(log);
}

function logReason(state: LogState): Reason | undefined {
  if (state === 'clean') return undefined;
  if (state === 'fast-startup') {
    const message = 'Windows did not dismount the NTFS volume: fast startup, hibernation or a power cut';
    return { code: 'ntfs-log-unclean', message, hint: FULL_SHUTDOWN_HINT };
  }
  return {
    code: 'ntfs-log-unclean',
    message:
      state === 'unclean'
        ? 'the $LogFile of the NTFS volume holds changes that were not applied yet'
        : 'the $LogFile of the NTFS volume has no restart page that can be read',
    hint: 'start the guest so that it mounts the volume, then shut it down fully with `shutdown /s /f /t 0`',
  };
}

/** Looks at hiberfil.sys in the root directory: there and not obviously over means hibernated. */
async function hibernationReason(volume: NtfsVolume): Promise<Reason | undefined> {
  const file = await findInRoot(volume, 'hiberfil.sys');
  if (file === undefined) return undefined;
  const content = await volume.openStream(file, ATTRIBUTE_TYPE.data);
  const found = (message: string): Reason => ({ code: 'ntfs-hibernated', message, hint: FULL_SHUTDOWN_HINT });
  if (content === undefined || content.sizeBytes < HIBERFIL_HEADER_BYTES) {
    return found('hiberfil.sys is too short to tell: a hibernated Windows may use this volume');
  }
  if (!content.isPlain) return found('hiberfil.sys is compressed or encrypted: it cannot be read');
  const header = await content.readAt(0, HIBERFIL_HEADER_BYTES);
  const magic = String.fromCharCode(...header.subarray(0, 4)).toUpperCase();
  if (magic === HIBERNATED) return found('Windows is hibernated on this volume, or in fast startup');
  if (magic === RESUMED || header.every((byte) => byte === 0)) return undefined;
  return found('hiberfil.sys begins with words this program does not know: Windows may be hibernated');
}
