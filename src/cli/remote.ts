import { resolve } from 'node:path';
import type { OpenOptions } from '../app/open.js';
import { askSecret } from './ask-secret.js';
import { stateFolder } from './history-files.js';
import type { CommonOptions } from './options.js';

/** How disks are opened: what the options and the environment say, and the person at the terminal. */
export function openOptions(flags: CommonOptions, signal: AbortSignal): OpenOptions {
  const { identity, acceptNewHostKey, sshConfig, remoteHelper, linkTimeout, allowUnsafeFlush } = flags;
  const { SSH_AUTH_SOCK: agent } = process.env;
  const canAsk = process.stdin.isTTY === true && process.stderr.isTTY === true;
  return {
    ...(flags.allowOutsideExtents === true ? { allowOutsideExtents: true } : {}),
    remote: {
      stateFolder: resolve(stateFolder()),
      helper: remoteHelper,
      linkSeconds: linkTimeout,
      acceptNewHostKey: acceptNewHostKey === true,
      allowUnsafeFlush: allowUnsafeFlush === true,
      ...(identity === undefined ? {} : { identity: resolve(identity) }),
      ...(sshConfig === undefined ? {} : { sshConfig: resolve(sshConfig) }),
      ...(agent === undefined || agent === '' ? {} : { agent }),
      ...(canAsk ? { ask: (question, hidden) => askSecret(question, hidden, signal) } : {}),
    },
  };
}
