import { isFamily } from '../../core/errors.js';
import { isPowerOfTwo } from '../../core/units.js';
import { undoFixups } from './fixup.js';
import { MAGIC, RESTART_AREA, RESTART_PAGE } from './layout.js';
import type { AttributeStream } from './stream.js';

/** What $LogFile says about the last dismount. */
export type LogState =
  /** Nothing to replay. */
  | 'clean'
  /** A version that only exists while Windows 8 or later has the volume mounted, or kept it for a fast startup. */
  | 'fast-startup'
  /** Changes wait to be replayed. */
  | 'unclean'
  /** No restart page can be read. */
  | 'unreadable';

/** Bytes of a restart page: what Windows and ntfs-3g write, and the bounds of what the format can say. */
const PAGE_BYTES = { usual: 4096, min: 512, max: 65536 } as const;
/** Restart flag: dismounted cleanly. */
const VOLUME_IS_CLEAN = 0x0002;
/** The list of clients that have something to replay is empty. */
const NO_CLIENT = 0xffff;
/** First version of Windows 8; a full dismount writes 1.1 again. */
const FAST_STARTUP_VERSION = 2;

interface RestartPage {
  readonly pageBytes: number;
  readonly currentLsn: bigint;
  readonly state: LogState;
}

/** Reads the two restart pages; the newer one counts. Where both would be there are only ones in an empty log. */
export async function readLogState(log: AttributeStream): Promise<LogState> {
  const start = await log.readAt(0, Math.min(2 * PAGE_BYTES.usual, log.sizeBytes));
  if (start.length > 0 && start.every((byte) => byte === 0xff)) return 'clean';
  const first = await readPage(log, 0);
  const second = await readPage(log, first?.pageBytes ?? PAGE_BYTES.usual);
  if (first === undefined || second === undefined) return (first ?? second)?.state ?? 'unreadable';
  return second.currentLsn > first.currentLsn ? second.state : first.state;
}

/** Undefined for a torn or missing page: that is what the other one is for. */
async function readPage(log: AttributeStream, at: number): Promise<RestartPage | undefined> {
  if (at + RESTART_PAGE.size > log.sizeBytes) return undefined;
  const header = RESTART_PAGE.decode(await log.readAt(at, RESTART_PAGE.size));
  const pageBytes = header.systemPageBytes;
  const sane = isPowerOfTwo(pageBytes) && pageBytes >= PAGE_BYTES.min && pageBytes <= PAGE_BYTES.max;
  const known = header.magic === MAGIC.RSTR || header.magic === MAGIC.CHKD;
  if (!known || !sane || at + pageBytes > log.sizeBytes) return undefined;
  const page = await log.readAt(at, pageBytes);
  try {
    undoFixups(page, '$LogFile restart page', log.locate(at));
    const area = RESTART_AREA.decode(page, header.restartAreaOffset);
    return { pageBytes, currentLsn: area.currentLsn, state: stateOf(header.majorVersion, area) };
  } catch (error) {
    if (isFamily(error, 'damaged')) return undefined;
    throw error;
  }
}

/** On clean logs of Windows the list of clients is not empty; the flag is what tells. */
function stateOf(majorVersion: number, area: { clientInUseList: number; flags: number }): LogState {
  if ((area.flags & VOLUME_IS_CLEAN) !== 0) return 'clean';
  if (majorVersion >= FAST_STARTUP_VERSION) return 'fast-startup';
  return area.clientInUseList === NO_CLIENT ? 'clean' : 'unclean';
}
