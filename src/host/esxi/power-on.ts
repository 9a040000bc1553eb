import { refused } from '../../core/errors.js';
import type { HostShell } from '../types.js';
import { vimCommand } from './commands.js';
import { type Deed, doOnce } from './talk.js';

/** What stands against it the host says at once; a question lets the command wait for ever. */
const SAYS_WITHIN_SECONDS = 10;
const ENDED = /^exit (\d+)$/m;

/**
 * Starts a machine, without waiting until it runs. The command is left behind where it does not end soon, so that a question
 * can be seen meanwhile; a background process may not keep the channel open, so its words go through a file. That is opened once:
 * a command that ends when the file is gone does not make it anew. When the connection is lost it is not told blindly again.
 */
export async function powerOn(shell: HostShell, id: string, happened: Deed['happened']): Promise<void> {
  const name = vimCommand('vmsvc/power.on', id);
  const command = [
    'said=$(mktemp) || exit 1',
    `trap 'rm -f "$said"' EXIT`,
    `trap 'exit 1' HUP INT PIPE TERM`,
    `{ ${name}; echo "exit $?"; } >"$said" 2>&1 </dev/null &`,
    `tries=${SAYS_WITHIN_SECONDS}`,
    'while [ $tries -gt 0 ] && ! grep -q "^exit " "$said"; do sleep 1; tries=$((tries-1)); done',
    'cat "$said"',
  ].join('\n');
  const doing = 'power the virtual machine on';
  const said = await doOnce(shell, { command, name, doing, happened, isAwaited: true });
  const code = ENDED.exec(said)?.[1] ?? '0';
  if (code === '0') return;
  throw refused('host-fault', `the host does not power the virtual machine on: exit code ${code}`, {
    hint: 'power it on in the client of the host, which says why',
  });
}
