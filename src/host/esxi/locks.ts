import type { Reason } from '../../core/errors.js';
import { cleanText } from '../../core/text.js';
import type { HostShell } from '../types.js';
import { shellWord } from './commands.js';
import { type FileLock, parseLockDump, parseLockInfo } from './parse-locks.js';
import { answerOf } from './talk.js';

/** The lock of a file on VMFS, by the tool that every release has, else by the one that newer ones have. */
export async function lockOf(shell: HostShell, path: string): Promise<FileLock> {
  const dump = await answerOf(shell, `vmkfstools -D ${shellWord(path)}`);
  const lock = parseLockDump(`${dump.stdout}\n${dump.stderr}`);
  if (lock.state !== 'unknown') return lock;
  const info = await answerOf(shell, `vmfsfilelockinfo -p ${shellWord(path)}`);
  return parseLockInfo(info.stdout);
}

/** Why a file that is not known to be free is not changed. */
export function isHeld(path: string, { state, owners }: FileLock): Reason {
  const who = owners.length === 0 ? 'a host' : `the host with the MAC address ${owners.join(', ')}`;
  if (state === 'held') {
    return {
      code: 'locked',
      message: `${cleanText(path)} is locked by ${who}`,
      hint: 'find what uses it there: another virtual machine, a backup appliance, a stuck process',
    };
  }
  return {
    code: 'lock-unknown',
    message: `it is not understood whether ${cleanText(path)} is locked`,
    hint: 'look with: vmkfstools -D, and when it is free, go on with --host none',
  };
}
