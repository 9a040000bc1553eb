import type { Wish } from '../../src/app/plan.js';
import { layoutRequest } from '../../src/plan/types.js';

/** To move a partition alone, its new start in bytes. */
export const moveTo = (number: number, at: number): Wish => ({
  request: () =>
    layoutRequest({
      command: 'move-extents',
      targets: [{ number, startLba: at / 512, sectorCount: null, ebrLba: null }],
    }),
  measure: () => false,
});
