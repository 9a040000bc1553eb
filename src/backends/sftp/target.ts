import { usageError } from '../../core/errors.js';

/** `sftp://user@host:port/path`, taken apart. */
export interface SftpTarget {
  /** Null: what ssh_config says, or the name of the local user. */
  readonly user: string | null;
  /** As the user wrote it: a name of ssh_config, a host name or an address, without brackets. */
  readonly host: string;
  /** Null: what ssh_config says, or 22. */
  readonly port: number | null;
  /** Absolute, as it is on the server: nothing is percent-decoded, because names of disks may hold `%`. */
  readonly path: string;
}

const TARGET = /^sftp:\/\/(?:([^@/]*)@)?(\[[\w:.%]+\]|[^/:@[\]]+)(?::(\d{1,5}))?(\/.*)?$/s;
const MAX_PORT = 65_535;
/** What ssh takes for a host or a user: nothing that could be an option or reach a shell. */
const HOST = /^[A-Za-z0-9_:.][A-Za-z0-9_:.%-]*$/;
const USER = /^[A-Za-z0-9_.@\\][A-Za-z0-9_.@\\+$-]*$/;

/** Takes a target apart. Usage (sftp-url) when it is none; a password in it is refused and not repeated. */
export function parseTarget(text: string): SftpTarget {
  const [, user, bracketed, portText, path = '/'] = TARGET.exec(text) ?? [];
  if (user?.includes(':') === true) {
    throw usageError('password-in-url', 'a password has no place on the command line', {
      hint: 'leave it out: it is asked for on the terminal, or use a key (--identity)',
    });
  }
  const host = bracketed?.replace(/^\[|\]$/g, '') ?? '';
  const port = portText === undefined ? null : Number(portText);
  const isPort = port === null || (port > 0 && port <= MAX_PORT);
  if (!HOST.test(host) || !isPort || (user !== undefined && !USER.test(user))) {
    throw usageError('sftp-url', 'the target is no sftp://user@host[:port]/absolute/path', {
      hint: 'for example: sftp://root@esx1/vmfs/volumes/datastore1',
    });
  }
  if (path.includes('\0')) throw usageError('sftp-url', 'a path cannot hold a zero byte');
  return { user: user ?? null, host, port, path };
}

/** Scheme, user, host and port: what all paths of one store begin with. */
export function prefixOf({ user, host, port }: SftpTarget): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `sftp://${user === null ? '' : `${user}@`}${name}${port === null ? '' : `:${port}`}`;
}
