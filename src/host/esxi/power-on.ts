import { refused } from '../../core/errors.js';
import type { HostShell } from '../types.js';
import { vimCommand } from './commands.js';
import { act } from './talk.js';

/** What stands against it the host says at once; a question lets the command wait for ever. */
const SAYS_WITHIN_SECONDS = 10;
const ENDED = /^exit (\d+)$/m;

/**
 * Starts a machine, without waiting until it runs. The command is left behind where it does not end soon, so that a question
 * can be seen meanwhile; a background process may not keep the channel open, so its words go through a file.
 */
export async function powerOn(shell: HostShell, id: string): Promise<void> {
  const command = vimCommand('vmsvc/power.on', id);
  const script = [
    'said=$(mktemp) || exit 1',
    `{ ${command} >$said 2>&1; echo "exit $?" >>$said; } >/dev/null 2>&1 </dev/null &`,
    `tries=${SAYS_WITHIN_SECONDS}`,
    'while [ $tries -gt 0 ] && ! grep -q "^exit " $said; do sleep 1; tries=$((tries-1)); done',
    'cat $said',
    'rm -f $said',
  ].join('\n');
  const said = await act(shell, script, 'power the virtual machine on');
  const code = ENDED.exec(said)?.[1] ?? '0';
  if (code === '0') return;
  throw refused('host-fault', `the host does not power the virtual machine on: exit code ${code}`, {
    hint: 'power it on in the client of the host, which says why',
  });
}
