import { decodeUtf16 } from '../codec/text.js';
import { cleanText } from '../core/text.js';
import type { Reader } from '../device/types.js';
import { Hive, type HiveKey } from '../formats/regf/index.js';
import type { FileFinder } from '../formats/volume-file.js';
import { finderOf, isOfTheDisk } from './files.js';
import { readText } from './linux/config.js';

/** The operating system found on a disk. */
export interface GuestFacts {
  readonly os: 'windows' | 'linux';
  /** `Windows Server 2019 Standard`, `Debian GNU/Linux 12 (bookworm)`; null where it does not tell. */
  readonly name: string | null;
  /** `10.0.17763`, `12`; null where it does not tell. */
  readonly version: string | null;
  /** Number of the partition it was found on. */
  readonly partition: number;
}

/** A volume to look at. */
export interface GuestVolume {
  readonly number: number;
  readonly filesystem: string | null;
  readonly volume: Reader;
}

const SOFTWARE_HIVES = [
  ['Windows', 'System32', 'config', 'SOFTWARE'],
  ['WINNT', 'system32', 'config', 'software'],
] as const;
/** The second is a link to the first on most systems. */
const OS_RELEASE = [
  ['usr', 'lib', 'os-release'],
  ['etc', 'os-release'],
] as const;
/** Longest value and name taken. */
const TEXT_BYTES_MAX = 1024;
const REG_SZ = 1;
const REG_DWORD = 4;
/** Windows 11 calls itself Windows 10 in the registry; its builds begin here. */
const WINDOWS_11_BUILD = 22_000;

/**
 * The first operating system found on the volumes, or null. Reads directories and one hive or text file, a few hundred
 * KiB; a volume that cannot be read has none. Throws what the store throws.
 */
export async function detectGuest(volumes: readonly GuestVolume[]): Promise<GuestFacts | null> {
  for (const { number, filesystem, volume } of volumes) {
    try {
      const finder = await finderOf(filesystem, volume);
      const found = finder === null ? null : await guestOn(finder, filesystem ?? '');
      if (found !== null) return { ...found, partition: number };
    } catch (error) {
      if (!isOfTheDisk(error)) throw error;
    }
  }
  return null;
}

type FoundGuest = Omit<GuestFacts, 'partition'>;

function guestOn(finder: FileFinder, filesystem: string): Promise<FoundGuest | null> {
  return filesystem.startsWith('ext') ? linuxOn(finder) : windowsOn(finder);
}

async function linuxOn(finder: FileFinder): Promise<FoundGuest | null> {
  for (const path of OS_RELEASE) {
    const text = await readText(finder, path);
    if (text !== undefined) {
      return { os: 'linux', name: setting(text, 'PRETTY_NAME'), version: setting(text, 'VERSION_ID') };
    }
  }
  return null;
}

/** A variable of a file in the form of os-release(5). */
function setting(text: string, name: string): string | null {
  const [, value = ''] = new RegExp(`^${name}=(.*)$`, 'm').exec(text.slice(0, 16 * TEXT_BYTES_MAX)) ?? [];
  const plain = value.trim().replace(/^(["'])(.*)\1$/, '$2');
  return cleaned(plain.replace(/\\(.)/g, '$1'));
}

const cleaned = (text: string): string | null => cleanText(text.slice(0, TEXT_BYTES_MAX)) || null;

async function windowsOn(finder: FileFinder): Promise<FoundGuest | null> {
  for (const path of SOFTWARE_HIVES) {
    const file = await finder.find(path);
    if (file === undefined) continue;
    const hive = await Hive.open(file);
    const key = await hive.find('Microsoft', 'Windows NT', 'CurrentVersion');
    if (key !== undefined) return windowsFacts(hive, key);
  }
  return null;
}

async function windowsFacts(hive: Hive, key: HiveKey): Promise<FoundGuest> {
  const build = (await text(hive, key, 'CurrentBuildNumber')) ?? (await text(hive, key, 'CurrentBuild'));
  const major = await number(hive, key, 'CurrentMajorVersionNumber');
  const minor = await number(hive, key, 'CurrentMinorVersionNumber');
  const release = major === null ? await text(hive, key, 'CurrentVersion') : `${major}.${minor ?? 0}`;
  const product = await text(hive, key, 'ProductName');
  const isEleven = Number(build) >= WINDOWS_11_BUILD;
  return {
    os: 'windows',
    name: isEleven ? (product?.replace(/^Windows 10\b/, 'Windows 11') ?? null) : product,
    version: release === null || build === null ? release : `${release}.${build}`,
  };
}

async function text(hive: Hive, key: HiveKey, name: string): Promise<string | null> {
  const value = await hive.value(key, name);
  if (value?.type !== REG_SZ || value.sizeBytes > TEXT_BYTES_MAX) return null;
  const [line = ''] = decodeUtf16(await hive.data(value, TEXT_BYTES_MAX)).split('\0');
  return cleaned(line);
}

async function number(hive: Hive, key: HiveKey, name: string): Promise<number | null> {
  const value = await hive.value(key, name);
  if (value?.type !== REG_DWORD || value.sizeBytes !== 4) return null;
  const data = await hive.data(value, 4);
  return new DataView(data.buffer, data.byteOffset).getUint32(0, true);
}
