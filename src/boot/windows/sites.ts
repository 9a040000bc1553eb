import { refusal, type VmreclaimError } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { FileFinder, VolumeFile } from '../../formats/volume-file.js';
import { finderOf, isOfTheDisk } from '../files.js';
import type { Places } from '../places.js';
import type { BootFixup, BootPartition, BootSite, SiteEdit } from '../types.js';
import { type Content, readReagent, readStore, readSystemHive } from './contents.js';
import { reagentWarning } from './reagent.js';

/** What Windows starts from, or keeps its boot configuration on. */
const VOLUMES: readonly string[] = ['ntfs', 'fat12', 'fat16', 'fat32'];

interface FileKind {
  readonly kind: BootFixup;
  readonly title: string;
  readonly paths: readonly (readonly string[])[];
  readonly tables: readonly ('mbr' | 'gpt')[];
  /** The guest starts without it: what stands against changing it is a warning. */
  readonly optional: boolean;
  /** Undefined when the file is not what its name says. Throws Damaged or Unsupported. */
  read(file: VolumeFile, places: Places): Promise<Content | undefined>;
}

/** Names that setup proposes or people choose; each is looked into. */
const SYSTEM_FOLDER = /^win/i;
const USUAL_FOLDERS: readonly string[] = ['WINDOWS', 'WINNT'];

const SYSTEM_HIVE: FileKind = {
  kind: 'mounted-devices',
  title: 'MountedDevices of Windows',
  // Windows XP and later; NT 4.0 and 2000.
  paths: [
    ['Windows', 'System32', 'config', 'SYSTEM'],
    ['WINNT', 'system32', 'config', 'system'],
  ],
  tables: ['mbr'],
  optional: false,
  read: readSystemHive,
};

/** On a GPT disk registry and boot configuration name volumes by GUID, which a move does not change. */
const FILE_KINDS: readonly FileKind[] = [
  SYSTEM_HIVE,
  {
    kind: 'bcd',
    title: 'boot configuration (BCD)',
    // Started by a BIOS; by UEFI firmware, which can do so from an MBR disk too.
    paths: [
      ['Boot', 'BCD'],
      ['EFI', 'Microsoft', 'Boot', 'BCD'],
    ],
    tables: ['mbr'],
    optional: false,
    read: readStore,
  },
  {
    kind: 'reagent',
    title: 'ReAgent.xml',
    // Of the installation; beside the recovery image.
    paths: [
      ['Windows', 'System32', 'Recovery', 'ReAgent.xml'],
      ['Recovery', 'WindowsRE', 'ReAgent.xml'],
    ],
    tables: ['mbr', 'gpt'],
    optional: true,
    read: readReagent,
  },
];

/** Everything by which a Windows finds volumes of this disk by position, on one of its volumes. Throws Damaged. */
export async function windowsSites(places: Places, partition: BootPartition): Promise<BootSite[]> {
  const { table, diskId } = places.input;
  if (table === 'none' || diskId === null) return [];
  if (!VOLUMES.includes(partition.filesystem ?? '')) return [];
  const finder = await finderOf(partition.filesystem, partition.after);
  if (finder === null) return [];
  const sites: BootSite[] = [];
  for (const kind of FILE_KINDS.filter(({ tables }) => tables.includes(table))) {
    for (const path of kind.paths) {
      const site = await siteAt(places, partition, finder, kind, path);
      if (site !== undefined) sites.push(site);
    }
  }
  if (table !== 'mbr') return sites;
  for (const folder of await otherSystemFolders(finder)) {
    const named = { ...SYSTEM_HIVE, title: `MountedDevices of the Windows in \\${cleanText(folder)}` };
    const site = await siteAt(places, partition, finder, named, [folder, 'System32', 'config', 'SYSTEM']);
    if (site !== undefined) sites.push(site);
  }
  return sites;
}

/** Windows that were installed beside another, or by another name: `WINDOWS.0`, `WIN7`. */
async function otherSystemFolders(finder: FileFinder): Promise<string[]> {
  const folders = (await finder.folders?.()) ?? [];
  return folders.filter((name) => SYSTEM_FOLDER.test(name) && !USUAL_FOLDERS.includes(name.toUpperCase()));
}

async function siteAt(
  places: Places,
  partition: BootPartition,
  finder: FileFinder,
  { kind, title, optional, read }: FileKind,
  path: readonly string[],
): Promise<BootSite | undefined> {
  const site = {
    kind,
    title,
    partition: partition.number,
    holdsSectors: false,
    safe: null,
    writesTo: 'volume' as const,
  };
  const stopped = (error: VmreclaimError) => ({
    obstacle: optional ? null : error,
    edit: async () => withoutIt(error),
  });
  try {
    const file = await finder.find(path);
    const content = file === undefined ? undefined : await read(file, places);
    if (file === undefined || content === undefined) return undefined;
    const numbers = content.offsets.flatMap((offset) => places.startingAt(Number(offset))?.number ?? []);
    const holds = [...new Set(numbers)].sort((a, b) => a - b);
    const obstacle = content.obstacle ?? volumeObstacle(partition);
    // What is in a log, or in the memory of a hibernated Windows, may name more places than the file does.
    if (obstacle !== null) return { ...site, holds: null, ...stopped(obstacle) };
    const edit = async () => editFile(file, content, title);
    return { ...site, holds, obstacle: null, edit: optional ? orWithout(edit) : edit };
  } catch (error) {
    if (!isOfTheDisk(error)) throw error;
    return { ...site, holds: null, ...stopped(error) };
  }
}

function volumeObstacle({ obstacle }: BootPartition): VmreclaimError | null {
  return obstacle === null ? null : refusal(obstacle);
}

function editFile(file: VolumeFile, content: Content, title: string): SiteEdit {
  const { patches, ...said } = content.edit();
  return { ...said, writes: file.patch(patches, title) };
}

const orWithout = (edit: () => Promise<SiteEdit>) => async (): Promise<SiteEdit> => {
  try {
    return await edit();
  } catch (error) {
    if (isOfTheDisk(error)) return withoutIt(error);
    throw error;
  }
};

/** Of ReAgent.xml: only the recovery image depends on it, which is no reason to refuse a move. */
const withoutIt = (error: VmreclaimError): SiteEdit => ({
  writes: [],
  message: null,
  warnings: [reagentWarning(`cannot be changed: ${error.message}`)],
});
