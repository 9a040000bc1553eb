import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { conflict } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';

/** Scans, and others that were refused a lock, are gone soon: after these pauses. */
const PAUSES_MS = [100, 300, 600, 1000];

/** A file as the kernel knows it. */
export interface FileIdentity {
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/**
 * Throws Conflict (in-use) when another process of this machine has the file open and keeps it open: a hypervisor that locks
 * nothing, a backup. Linux only (/proc); what belongs to other users is only seen by root.
 */
export async function refuseOtherUsers(file: FileIdentity): Promise<void> {
  for (const pause of [...PAUSES_MS, null]) {
    const user = otherUser(file);
    if (user === undefined) return;
    if (pause === null) {
      throw conflict('in-use', `${file.path} is open in process ${user.pid} (${user.name})`, {
        path: file.path,
        hint: 'end that program, or power off the machine that it runs',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Synchronous: a call to /proc takes microseconds, and there may be tens of thousands of open files. */
function otherUser(file: FileIdentity): { readonly pid: string; readonly name: string } | undefined {
  for (const pid of orElse(() => readdirSync('/proc'), [])) {
    if (!/^\d+$/.test(pid) || pid === String(process.pid) || !hasOpen(pid, file)) continue;
    return { pid, name: cleanText(orElse(() => readFileSync(`/proc/${pid}/comm`, 'utf8'), '')) };
  }
  return undefined;
}

/** The name is compared first: reading a link is cheap, and a file with two names is refused elsewhere. */
function hasOpen(pid: string, { path, device, inode }: FileIdentity): boolean {
  const folder = `/proc/${pid}/fd`;
  const name = basename(path);
  return orElse(() => readdirSync(folder), []).some((fd) => {
    const target = orElse(() => readlinkSync(`${folder}/${fd}`), '');
    if (!target.startsWith('/') || basename(target) !== name) return false;
    const found = orElse(() => statSync(`${folder}/${fd}`, { bigint: true }), undefined);
    return found?.dev === device && found.ino === inode;
  });
}

/** Processes of others cannot be looked at, and some have ended meanwhile. */
function orElse<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
