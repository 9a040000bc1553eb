import type { Reason } from '../core/errors.js';
import { cleanText } from '../core/text.js';
import type { Subject } from './subject.js';
import type { DiskSource } from './types.js';

/** Descriptor version that means change tracking (domain 3.7). */
const CHANGE_TRACKING_VERSION = 3;

/** Whether changed block tracking is on, and the reason when its file must not be trusted. */
export interface ChangeTracking {
  readonly found: DiskSource['changeTracking'];
  readonly reasons: readonly Reason[];
}

/**
 * Changed block tracking does not see a change from outside: its file goes when the disk changes. Because the
 * file is going to be removed, the name must be that of a tracking file beside the descriptor and nothing else.
 */
export function changeTracking({ store, folder, descriptor, stem, fileNames }: Subject): ChangeTracking {
  if (descriptor === null) return { found: null, reasons: [] };
  const on = descriptor.changeTrackPath !== null || descriptor.version === CHANGE_TRACKING_VERSION;
  if (!on) return { found: null, reasons: [] };
  const name = descriptor.changeTrackPath ?? `${stem}-ctk.vmdk`;
  const kind = folder.entries.get(name);
  const plain = /^[^/\\\0]+-ctk\.vmdk$/i.test(name) && !fileNames.includes(name);
  if (plain && (kind === undefined || kind === 'file')) {
    return { found: { path: store.join(folder.path, name) }, reasons: [] };
  }
  return {
    found: null,
    reasons: [
      {
        code: 'change-tracking',
        message: `the descriptor names ${cleanText(name)} as change tracking file, which it cannot be`,
        hint: 'switch changed block tracking off for the virtual machine, then try again',
      },
    ],
  };
}
