import { locate } from '../backends/registry.js';
import { VmreclaimError } from '../core/errors.js';
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
  try {
    const { store, remote } = await locate(target, options.remote);
    const around = { signal, runCommand: async () => null };
    const host = await hostOf(
      { store, ...(remote === undefined ? {} : { remote }) },
      { host: { kind: 'auto' } },
      around,
    );
    if (remote === undefined || !(await host.punch(remote.pathOf(value.before.path)))) return value;
  } catch (error) {
    if (!(error instanceof VmreclaimError)) throw error;
    const warning = { code: 'not-punched', message: `zeroed blocks were not given back: ${error.message}` };
    return { ...value, warnings: [...value.warnings, warning] };
  }
  const message = 'the host gave the zeroed blocks back to the datastore (vmkfstools -K)';
  return {
    ...value,
    fixups: [...value.fixups, { kind: 'punch', partition: null, message }],
    warnings: value.warnings.filter(({ code }) => code !== 'vmfs-thin'),
  };
}
