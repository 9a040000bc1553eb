import { conflict, deviceError, VmreclaimError } from '../../core/errors.js';

/** Code of every failure that means: the connection is gone. What was sent may or may not have been done. */
export const LINK_LOST = 'link-lost';

/** Status codes of the protocol, version 3 (draft-ietf-secsh-filexfer-02, section 7). */
const STATUS = { eof: 1, noSuchFile: 2, permission: 3, noConnection: 6, lost: 7, unsupported: 8 } as const;

const MEANING: Readonly<Record<number, { code: string; says: string; hint?: string }>> = {
  [STATUS.eof]: { code: 'short-read', says: 'the file ended early' },
  [STATUS.noSuchFile]: { code: 'not-found', says: 'no such file or folder' },
  [STATUS.permission]: {
    code: 'permission',
    says: 'permission denied',
    hint: 'log in as a user who may do that',
  },
  [STATUS.unsupported]: { code: 'not-supported', says: 'the server cannot do that' },
};

/** The connection is gone. No cause: library errors may name sockets and keys. */
export function linkLost(label: string, why: string): VmreclaimError {
  return deviceError(LINK_LOST, `the connection to ${label} was lost: ${why}`, {
    hint: 'check the network and the server, and run the command again',
  });
}

/** The number of an SFTP status; undefined for errors that did not come from the server. */
export function statusOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'number' ? code : undefined;
}

export const isNotFound = (error: unknown): boolean => statusOf(error) === STATUS.noSuchFile;
export const isEof = (error: unknown): boolean => statusOf(error) === STATUS.eof;
/** The server, or the library without asking it, says that the request does not exist. */
export const isUnsupported = (error: unknown): boolean =>
  statusOf(error) === STATUS.unsupported ||
  (error instanceof Error && error.message.startsWith('Server does not support'));

/** True when the error means that the session is over: a status of the protocol, or the library's word for it. */
export function meansLost(error: unknown): boolean {
  const status = statusOf(error);
  if (status !== undefined) return status === STATUS.noConnection || status === STATUS.lost;
  return !isUnsupported(error);
}

/**
 * A failed request as an error of ours. `doing` completes "cannot". Text of the server is not repeated: it may be
 * anything.
 */
export function requestError(error: unknown, doing: string, path: string): VmreclaimError {
  const status = isUnsupported(error) ? STATUS.unsupported : statusOf(error);
  const meaning = status === undefined ? undefined : MEANING[status];
  const { code, says } = meaning ?? { code: 'io', says: 'the server reports a failure' };
  const hint =
    meaning === undefined ? 'is it in use, or the store full? The log of the server knows' : meaning.hint;
  return deviceError(code, `cannot ${doing} ${path}: ${says}`, {
    path,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** requestError for what is not an error of ours yet. */
export const asOwnError = (error: unknown, doing: string, path: string): VmreclaimError =>
  error instanceof VmreclaimError ? error : requestError(error, doing, path);

export const isLinkLost = (error: unknown): boolean =>
  error instanceof VmreclaimError && error.code === LINK_LOST;

export const isThere = (path: string): VmreclaimError =>
  conflict('exists', `${path} is there already`, { path });

/** The server answered something that cannot be. */
export const badAnswer = (path: string, what: string): VmreclaimError =>
  deviceError('server-answer', `the server's answer makes no sense: ${what}`, { path });
