import { connect } from './connect.js';
import type { RemoteOptions } from './options.js';
import type { Session } from './session.js';
import { SftpStore, type SftpSurroundings } from './sftp-store.js';
import { parseTarget, prefixOf, type SftpTarget } from './target.js';

export type { RemoteOptions } from './options.js';
export { SftpStore } from './sftp-store.js';
export type { RemoteShell, ShellResult } from './shell.js';

const stores = new Map<string, Promise<SftpStore>>();

/**
 * The store behind `sftp://user@host[:port]/path`, and the path in it. One connection for each user and host: it stays for
 * the next target. Throws Usage, Refused or Device.
 */
export async function openSftp(
  text: string,
  options: RemoteOptions,
  around: Omit<SftpSurroundings, 'connect'>,
): Promise<{ store: SftpStore; path: string }> {
  const target = parseTarget(text);
  const key = prefixOf(target);
  const again = rememberingConnect(target, options);
  const known = stores.get(key);
  const opening =
    known ?? again().then((session) => new SftpStore(session, options, { ...around, connect: again }));
  stores.set(key, opening);
  try {
    const store = await opening;
    return { store, path: store.join(key, target.path) };
  } catch (error) {
    stores.delete(key);
    throw error;
  }
}

/**
 * Connects as often as needed. What the person answered the first time is tried once in each later connection: nobody
 * sits there in the night. It stays in this process.
 */
function rememberingConnect(target: SftpTarget, options: RemoteOptions): () => Promise<Session> {
  const { ask } = options;
  if (ask === undefined) return () => connect(target, options);
  const answers = new Map<string, string>();
  return () => {
    const tried = new Set<string>();
    const remembering: RemoteOptions['ask'] = async (question, hidden) => {
      const known = tried.has(question) ? undefined : answers.get(question);
      tried.add(question);
      const answer = known ?? (await ask(question, hidden));
      answers.set(question, answer);
      return answer;
    };
    return connect(target, { ...options, ask: remembering });
  };
}
