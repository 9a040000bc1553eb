import { locate } from '../backends/registry.js';
import { VmreclaimError } from '../core/errors.js';
import type { Host } from '../host/types.js';
import type { OpenOptions } from './open.js';
import type { Outcome } from './outcome.js';
import { hostOf } from './run/host.js';

/**
 * After a change of a thin disk on VMFS: lets its host give the zeroed blocks back to the datastore, where there is a host to ask. The
 * disk is whole by then, so what stands against it is a warning.
 */
export async function punchOnHost(
  value: Outcome,
  target: string,
  options: OpenOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  if (value.status !== 'done' || !value.before.thinOnVmfs) return value;
  let punched: Punched;
  try {
    const { store, remote } = await locate(target, options.remote);
    const around = { signal, runCommand: async () => 'killed' as const };
    const host = await hostOf(
      { store, ...(remote === undefined ? {} : { remote }) },
      { host: { kind: 'auto' }, shutdownSeconds: 0 },
      around,
    );
    if (remote === undefined) return value;
    punched = await tryPunch(host, remote.pathOf(value.before.path));
  } catch (error) {
    punched = notPunched(error);
  }
  if (punched.failure !== undefined) {
    const warning = { code: 'not-punched', message: punched.failure };
    return { ...value, warnings: [...value.warnings, warning] };
  }
  if (!punched.done) return value;
  const message = 'the host gave the zeroed blocks back to the datastore (vmkfstools -K)';
  return {
    ...value,
    fixups: [...value.fixups, { kind: 'punch', partition: null, message }],
    warnings: value.warnings.filter(({ code }) => code !== 'vmfs-thin'),
  };
}

/** What a host did about zeroed blocks. */
interface Punched {
  readonly done: boolean;
  /** Why it could not. */
  readonly failure?: string;
}

/** Lets the host punch a disk, which is whole by now: blocks that stay taken stop nothing. */
export async function tryPunch(host: Host, path: string): Promise<Punched> {
  try {
    return { done: await host.punch(path) };
  } catch (error) {
    return notPunched(error);
  }
}

function notPunched(error: unknown): Punched {
  if (!(error instanceof VmreclaimError)) throw error;
  return { done: false, failure: `zeroed blocks were not given back: ${error.message}` };
}
