import { unsupported } from '../../core/errors.js';
import type { FilesystemFormat } from '../types.js';

const notYet = (): Promise<never> => Promise.reject(unsupported('ntfs', 'NTFS is not readable yet'));

/** NTFS: probe, facts, used clusters, move, deep check. See docs/formats/ntfs.md. */
export const ntfs: FilesystemFormat = {
  id: 'ntfs',
  probe: () => false,
  inspect: notYet,
  usedMap: notYet,
  onMove: notYet,
  check: notYet,
};
