import type { StoreVolume } from '../../device/store.js';
import { asOwnError, isUnsupported } from './errors.js';
import type { SftpPaths } from './paths.js';
import type { Session } from './session.js';

/** What statvfs@openssh.com tells of a file system. Sizes are bytes. */
interface Space {
  /** The same for all folders of one file system. */
  readonly id: string;
  readonly capacityBytes: number;
  readonly usedBytes: number;
  /** For this user. */
  readonly freeBytes: number;
}

/** The file system of a folder; null where the server does not tell, or tells what cannot be. */
export async function spaceOf(session: Session, paths: SftpPaths, folder: string): Promise<Space | null> {
  type Answer = Partial<
    Record<'f_frsize' | 'f_blocks' | 'f_bfree' | 'f_bavail' | 'f_sid', number | bigint | string>
  >;
  try {
    const answer = await session.request<Answer>((sftp, done) =>
      sftp.ext_openssh_statvfs(paths.remote(folder), done as never),
    );
    const [unit, blocks, free, available] = [
      answer.f_frsize,
      answer.f_blocks,
      answer.f_bfree,
      answer.f_bavail,
    ].map(Number) as [number, number, number, number];
    const capacityBytes = unit * blocks;
    const usedBytes = unit * (blocks - free);
    const freeBytes = unit * available;
    const sizes = [capacityBytes, usedBytes, freeBytes];
    if (!sizes.every((size) => Number.isSafeInteger(size) && size >= 0)) return null;
    return { id: `${answer.f_sid} ${unit} ${blocks}`, capacityBytes, usedBytes, freeBytes };
  } catch (error) {
    if (isUnsupported(error)) return null;
    throw asOwnError(error, 'ask for the free space of', folder);
  }
}

/** The same with its place: the highest folder that is on it. The protocol does not tell its type. */
export async function volumeOf(
  session: Session,
  paths: SftpPaths,
  folder: string,
): Promise<StoreVolume | null> {
  const own = await spaceOf(session, paths, folder);
  if (own === null) return null;
  const { id, ...sizes } = own;
  let path = paths.join(folder);
  for (;;) {
    const above = paths.folderOf(path);
    if (above === path || (await spaceOf(session, paths, above))?.id !== id) break;
    path = above;
  }
  return { name: paths.nameOf(path) || path, path, type: null, ...sizes };
}
