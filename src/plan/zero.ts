import {
  damaged,
  hintOf,
  internalError,
  type Reason,
  refused,
  unsupported,
  usageError,
} from '../core/errors.js';
import type { DiskFacts, PartitionFacts } from '../inspect/types.js';
import { requirePartitions } from './lay-out.js';
import type { LayoutRequest, ZeroArea, ZeroPlan, ZeroWish } from './types.js';
import { unallocatedRanges } from './unallocated.js';

type Skipped = ZeroPlan['skipped'][number];

/** What there is to clear in one partition, and why the rest is left alone. */
interface Share {
  readonly areas: readonly ZeroArea[];
  readonly skipped: readonly Skipped[];
}

/**
 * What `zero` looks at. Partitions that are named, or else all of them and what no partition holds. One whose format
 * cannot tell its free space is left alone, or refused when it is named. One that could but must not be cleared,
 * because its bitmap may lie, is refused always: silence would pass for done. Throws Usage, Refused, Damaged,
 * Unsupported.
 */
export function planZero(facts: DiskFacts, request: LayoutRequest): ZeroPlan {
  const { zero: wish, only } = request;
  if (wish === undefined) throw internalError('zero', 'a request to clear does not say what');
  requirePartitions(
    facts,
    'a disk without a partition table is left alone: clear it in the guest (fstrim, sdelete -z)',
  );
  const chosen = facts.partitions.filter(({ number, kind }) =>
    only.length > 0 ? only.includes(number) : !wish.gapsOnly && kind !== 'extended',
  );
  const shares = chosen.map((partition) => shareOf(partition, wish, only.length > 0));
  const gaps = only.length > 0 ? [] : gapsOf(facts);
  return {
    punch: wish.punch,
    areas: [...shares.flatMap(({ areas }) => areas), ...gaps],
    skipped: shares.flatMap(({ skipped }) => skipped),
  };
}

const area = (kind: ZeroArea['kind'], number: number | null, bytes: number | null): ZeroArea => ({
  kind,
  number,
  bytes,
  bytesToRead: null,
  bytesToClear: null,
});

function gapsOf(facts: DiskFacts): ZeroArea[] {
  const bytes = unallocatedRanges(facts).reduce((sum, { length }) => sum + length, 0);
  return bytes === 0 ? [] : [area('gaps', null, bytes)];
}

function shareOf(partition: PartitionFacts, wish: ZeroWish, isNamed: boolean): Share {
  const { number, filesystem, clearing } = partition;
  const reason = whyNot(partition, wish);
  if (reason !== undefined && isNamed) throw cannot(partition, reason);
  if (reason !== undefined) return { areas: [], skipped: [{ number, ...reason }] };
  requireTrusted(partition);
  const areas: ZeroArea[] = [];
  if (clearing?.free === true) areas.push(area('free', number, filesystem?.freeBytes ?? null));
  if (clearing?.scratch === 'swap') areas.push(area('swap', number, null));
  if (clearing?.scratch === 'pagefile' && wish.pagefile) areas.push(area('pagefile', number, null));
  return { areas, skipped: [] };
}

/** Why there is nothing in the partition that could be cleared; undefined when there is. */
function whyNot({ kind, filesystem, clearing }: PartitionFacts, wish: ZeroWish): Reason | undefined {
  if (kind === 'extended')
    return { code: 'container', message: 'it is a container: name the logical partitions in it' };
  if (filesystem === null) return { code: 'not-recognised', message: 'it holds nothing that is recognised' };
  if (clearing?.scratch === 'swap') {
    return wish.swap ? undefined : { code: 'swap', message: 'it holds swap, which only --swap clears' };
  }
  const tellsFree =
    clearing?.free === true && (filesystem.usedBytes !== null || filesystem.reasons.length > 0);
  if (tellsFree) return undefined;
  return {
    code: 'free-space-unknown',
    message: `it holds ${filesystem.kind}: its free space is not known to this program`,
  };
}

const CHECK_HINT = 'start the guest, let it check the file system, and shut it down fully';

/** A bitmap that is not up to date calls files free that are there. */
function requireTrusted({ number, filesystem, clearing }: PartitionFacts): void {
  const [reason] = filesystem?.reasons ?? [];
  const rest = 'or leave it as it is: name the others with --partition, or use --gaps-only';
  if (reason !== undefined) {
    const stop = filesystem?.state === 'damaged' ? damaged : refused;
    throw stop(reason.code, `partition ${number} cannot be cleared: ${reason.message}`, {
      hint: `${hintOf(reason).hint ?? CHECK_HINT}; ${rest}`,
    });
  }
  if (filesystem?.state !== 'clean') {
    const kind = filesystem?.kind ?? '';
    const message = `partition ${number} cannot be cleared: its ${kind} is ${filesystem?.state ?? 'unknown'}`;
    throw refused('not-clean', message, { hint: `${CHECK_HINT}; ${rest}` });
  }
  if (clearing?.free !== true || filesystem.move.copies === 'used') return;
  const message = `partition ${number} cannot be cleared: ${filesystem.kind} has features that this program does not know`;
  throw unsupported('bitmaps-unsure', message, { hint: rest });
}

function cannot({ number, kind }: PartitionFacts, { code, message }: Reason): Error {
  const sentence = `partition ${number} cannot be cleared: ${message}`;
  if (kind === 'extended') return usageError(code, sentence);
  return unsupported(code, sentence, { hint: 'clear it in the guest (fstrim, sdelete -z)' });
}
