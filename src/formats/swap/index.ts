import { u32be, u32le } from '../../codec/fields.js';
import { defineLayout } from '../../codec/layout.js';
import { utf8Text } from '../../codec/text.js';
import { uuid } from '../../codec/uuid.js';
import { damaged, type Reason, refusal } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import { KIB } from '../../core/units.js';
import type { Reader } from '../../device/types.js';
import { volumeFacts } from '../facts.js';
import { readInside } from '../read.js';
import { hasBytes, hasText } from '../signature.js';
import type { FilesystemFacts, FilesystemFormat } from '../types.js';

/** The signature ends the first page, and a page is what the guest's processor makes of it. */
const PAGE_SIZES: readonly number[] = [4, 8, 16, 32, 64].map((size) => size * KIB);
const SIGNATURE_SIZE = 10;
const SWAP_OLD = 'SWAP-SPACE';
const SWAP_NEW = 'SWAPSPACE2';
/** A saved system image replaces the signature (kernel swsusp, uswsusp, hibernate-disk, as libblkid knows them). */
const SUSPENDED: readonly string[] = ['S1SUSPEND', 'S2SUSPEND', 'ULSUSPEND', 'LINHIB0001'];
/** TuxOnIce signs the start of the page instead. */
const TUX_ON_ICE = [0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c];

/** include/linux/swap.h, union swap_header: in the byte order of the guest. */
const HEADER_AT = 1024;
const HEADER_VERSION = 1;
const HEADER = defineLayout('swap header', 44, {
  version: { at: 0, type: u32le },
  versionBigEndian: { at: 0, type: u32be },
  lastPage: { at: 4, type: u32le },
  lastPageBigEndian: { at: 4, type: u32be },
  uuid: { at: 12, type: uuid },
  label: { at: 28, type: utf8Text(16) },
});

const HIBERNATED: Reason = {
  code: 'hibernated',
  message: 'this swap partition holds the image of a hibernated Linux guest',
  hint: 'resume the guest and shut it down, or discard the image with mkswap, keeping the UUID (mkswap -U)',
};

interface Signature {
  readonly pageBytes: number;
  readonly kind: 'old' | 'new' | 'suspended';
}

/**
 * Linux swap. Positions count from its start and the contents are worthless once the guest is off, but for the
 * image of a hibernated guest, which the boot loader's resume= may name by position: that is refused.
 */
export const swap: FilesystemFormat = {
  id: 'swap',
  probe: (head) => findSignature(head) !== undefined,
  inspect,
  scratch: { kind: 'swap', ranges: scratchRanges },
};

function findSignature(head: Uint8Array): Signature | undefined {
  if (hasBytes(head, 0, TUX_ON_ICE)) return { pageBytes: 4 * KIB, kind: 'suspended' };
  for (const pageBytes of PAGE_SIZES) {
    const at = pageBytes - SIGNATURE_SIZE;
    if (hasText(head, at, SWAP_OLD)) return { pageBytes, kind: 'old' };
    if (hasText(head, at, SWAP_NEW) && readHeader(head) !== undefined) return { pageBytes, kind: 'new' };
    if (SUSPENDED.some((word) => hasText(head, at, word))) return { pageBytes, kind: 'suspended' };
  }
  return undefined;
}

interface Header {
  readonly label: string;
  readonly serial: string;
  readonly lastPage: number;
}

/** The header in whichever byte order makes its version 1; undefined when none does. */
function readHeader(head: Uint8Array): Header | undefined {
  if (head.length < HEADER_AT + HEADER.size) return undefined;
  const header = HEADER.decode(head, HEADER_AT);
  const little = header.version === HEADER_VERSION;
  if (!little && header.versionBigEndian !== HEADER_VERSION) return undefined;
  const lastPage = little ? header.lastPage : header.lastPageBigEndian;
  return lastPage === 0 ? undefined : { label: header.label, serial: header.uuid, lastPage };
}

async function inspect(volume: Reader): Promise<FilesystemFacts> {
  const head = await readInside(volume, 0, Math.min(volume.sizeBytes, 64 * KIB), 'the first page of swap');
  const signature = findSignature(head);
  const header = signature?.kind === 'old' ? undefined : readHeader(head);
  const suspended = signature?.kind === 'suspended';
  return volumeFacts({
    kind: 'swap',
    label: header?.label ?? null,
    serial: header?.serial ?? null,
    clusterBytes: signature?.pageBytes ?? null,
    totalBytes: header && signature ? totalBytes(signature, header, volume) : null,
    state: suspended ? 'hibernated' : 'clean',
    blockers: suspended ? [HIBERNATED] : [],
    toleratesLargerPartition: true,
  });
}

/** What the header claims; Damaged when its volume has less. */
function totalBytes({ pageBytes, kind }: Signature, { lastPage }: Header, volume: Reader): number | null {
  const claimed = (lastPage + 1) * pageBytes;
  if (claimed <= volume.sizeBytes) return claimed;
  // TuxOnIce may overwrite the header, and a saved image is refused for itself.
  if (kind === 'suspended') return null;
  throw damaged('swap-larger-than-volume', 'the swap area is larger than its partition', {
    offset: HEADER_AT,
    expected: `at most ${volume.sizeBytes} bytes`,
    actual: claimed,
    hint: 'restore the old size of the partition, or make the swap area anew in the guest, keeping the UUID (mkswap -U)',
  });
}

/** All pages but the first, which holds signature, UUID, label and the list of bad pages. */
async function* scratchRanges(volume: Reader): AsyncGenerator<ByteRange> {
  const head = await readInside(volume, 0, Math.min(volume.sizeBytes, 64 * KIB), 'the first page of swap');
  const signature = findSignature(head);
  if (signature?.kind === 'suspended') throw refusal(HIBERNATED);
  const header = readHeader(head);
  // The old kind has no header: bits in the first page tell how far it reaches, and the guest sees to that.
  if (signature?.kind !== 'new' || header === undefined) return;
  const end = totalBytes(signature, header, volume) ?? 0;
  yield { at: signature.pageBytes, length: Math.max(0, end - signature.pageBytes) };
}
