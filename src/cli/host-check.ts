import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { deviceError } from '../core/errors.js';

/** Where an SSH server should answer. */
interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const SSH_PORT = 22;
/** For one attempt to connect and to be greeted. */
const ANSWER_MS = 10_000;
const PAUSE_MS = 15_000;

/** Hosts of the SFTP targets of a command line, each once. */
export function sshHosts(args: readonly string[]): Endpoint[] {
  const found = args.flatMap((arg) => {
    const parts = /^sftp:\/\/(?:[^@/]*@)?(?:\[([^\]/]+)\]|([^:/[\]]+))(?::(\d{1,5}))?\//.exec(arg);
    const host = parts?.[1] ?? parts?.[2];
    return host === undefined ? [] : [{ host, port: Number(parts?.[3] ?? 0) }];
  });
  return [...new Map(found.map((each) => [`${each.host} ${each.port}`, each])).values()];
}

/**
 * Waits until every host greets as an SSH server does. Throws Device (host-silent) when one does not within
 * `waitSeconds`; what the signal brings, at once.
 */
export async function waitForHosts(
  args: readonly string[],
  waitSeconds: number,
  signal: AbortSignal,
): Promise<void> {
  for (const endpoint of sshHosts(args)) {
    const target = resolved(endpoint);
    const until = Date.now() + waitSeconds * 1000;
    while (target !== undefined && !(await greets(target))) {
      if (Date.now() >= until) {
        throw deviceError('host-silent', `${target.host} does not answer on port ${target.port}`, {
          hint: 'nothing was started; the schedule tries again at its next time',
        });
      }
      await sleep(Math.min(PAUSE_MS, Math.max(0, until - Date.now())), undefined, { signal });
    }
  }
}

/** As ssh_config(5) tells what a name means; undefined behind a proxy, where nobody but ssh can look. */
function resolved({ host, port }: Endpoint): Endpoint | undefined {
  const { status, stdout } = spawnSync('ssh', ['-G', '--', host], { encoding: 'utf8' });
  const settings = status === 0 ? stdout : '';
  if (/^proxy(?:jump|command) (?!none$)/m.test(settings)) return undefined;
  const told = (name: string) => new RegExp(`^${name} (.+)$`, 'm').exec(settings)?.[1];
  return { host: told('hostname') ?? host, port: port || Number(told('port') ?? SSH_PORT) };
}

/** Does it begin with `SSH-`, as RFC 4253 wants? A port that only accepts is a host that hangs. */
function greets({ host, port }: Endpoint): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    let text = '';
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(ANSWER_MS, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
    socket.on('data', (bytes) => {
      text = (text + bytes.toString('latin1')).slice(-4096);
      if (/(?:^|\n)SSH-/.test(text)) end(true);
    });
  });
}
