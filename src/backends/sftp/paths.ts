/** The path arithmetic of a store: paths are whole URLs, so that every message and hint can be pasted. */
export interface SftpPaths {
  readonly prefix: string;
  join(folder: string, ...names: string[]): string;
  folderOf(path: string): string;
  nameOf(path: string): string;
  isAbsolute(path: string): boolean;
  /** The path on the server. */
  remote(path: string): string;
  /** The URL of a path on the server. */
  url(remotePath: string): string;
}

/**
 * Paths of one server. A bare `/path`, as .vmx files and descriptors have it, is taken as one of this server; a URL of
 * another server is no absolute path here, so that no file can lead to another host.
 */
export function sftpPaths(prefix: string): SftpPaths {
  const isOwn = (path: string): boolean => path === prefix || path.startsWith(`${prefix}/`);
  const remote = (path: string): string => normal(isOwn(path) ? path.slice(prefix.length) : path);
  const url = (remotePath: string): string => prefix + normal(remotePath);
  return {
    prefix,
    remote,
    url,
    join: (folder, ...names) => url([remote(folder), ...names].join('/')),
    folderOf: (path) => url(remote(path).replace(/\/[^/]*$/s, '')),
    nameOf: (path) => remote(path).replace(/^.*\//s, ''),
    isAbsolute: (path) => path.startsWith('/') || isOwn(path),
  };
}

/** Without empty parts and dots; `..` goes up, at the top it stays. */
function normal(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}
