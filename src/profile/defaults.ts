import { GIB, KIB, MIB } from '../core/units.js';
import type { GuestFamily, Profile, Settings, Subject } from './types.js';

/** What holds when no rule says otherwise: what shrink and enlarge keep free too, and small changes are left alone. */
export const BUILT_IN: Settings = {
  freePercent: 10,
  freeBytes: GIB,
  growthPerMonth: 0,
  growthMonths: 0,
  boundaryBytes: 64 * KIB,
  doNotAlign: [],
  untouched: [],
  shrink: true,
  enlarge: true,
  align: true,
  zero: false,
  worthBytes: 512 * MIB,
  worthPercent: 5,
};

/** Built-in defaults for kinds of guests: the partitions that Windows makes for itself stay as they are. */
export const BUILT_IN_GUESTS: Readonly<Partial<Record<GuestFamily, Partial<Settings>>>> = {
  windows: { untouched: ['System Reserved', 'Recovery', 'WinRE*'] },
};

/** No rules of anybody: the built-in ones alone. */
export const NO_PROFILE: Profile = { defaults: {}, guests: {}, categories: [] };

/** Beginnings of guestOS in .vmx files, and words in names of systems. */
const LINUX_NAMES =
  /linux|ubuntu|debian|centos|rhel|red ?hat|fedora|suse|sles|rocky|alma|photon|mandr|coreos|turbo/i;
const LINUX_FILESYSTEMS = /^(?:ext[234]|xfs|btrfs|swap|lvm2-pv|reiserfs|jfs)$/;

/** Windows or Linux, as the machine's .vmx tells, else as found on the disk, else as its file systems suggest. */
export function guestFamily({ vm, guest, partitions }: Subject): GuestFamily {
  const guestOs = vm?.guestOs ?? '';
  if (/^win|windows/i.test(guestOs)) return 'windows';
  if (LINUX_NAMES.test(guestOs)) return 'linux';
  if (guestOs !== '' && !/^other/i.test(guestOs)) return 'other';
  if (guest !== null) return guest.os;
  const kinds = partitions.map(({ filesystem }) => filesystem?.kind ?? '');
  if (kinds.includes('ntfs')) return 'windows';
  return kinds.some((kind) => LINUX_FILESYSTEMS.test(kind)) ? 'linux' : 'other';
}
