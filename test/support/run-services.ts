import { hostname } from 'node:os';
import { measureNone } from '../../src/app/plan.js';
import type { MachineRunOptions, RunServices } from '../../src/app/run/types.js';
import { layoutRequest } from '../../src/plan/types.js';
import { testServices } from './services.js';

const align = layoutRequest({ command: 'align' });
const zero = layoutRequest({
  command: 'zero',
  zero: { gapsOnly: false, swap: false, pagefile: false, punch: true },
});

/** A run of a machine that aligns and clears, and starts it again. */
export const RUN_OPTIONS: MachineRunOptions = {
  wish: { request: () => align, measure: measureNone },
  zero: { request: () => zero, measure: measureNone },
  dryRun: false,
  host: { kind: 'auto' },
  powerOn: true,
  keepOffOnFailure: false,
  forcePowerOff: false,
  reattach: false,
  shutdownSeconds: 20,
};

/** Its surroundings: nobody who stops it, yes to every question. */
export function runServices(changes: Partial<RunServices> = {}): RunServices {
  return {
    ...testServices(),
    who: { by: 'tester@here', host: hostname() },
    confirmRun: async () => true,
    recorded: (_command, _disk, work) => work(),
    onStep: () => undefined,
    onSwitchedOff: () => undefined,
    runCommand: async () => 99,
    ...changes,
  };
}
