import type { BlockDevice } from '../device/types.js';
import type { FilesystemFacts, MinimumSize, VolumeResize } from './types.js';

/**
 * Outside programs that resize file systems of formats with `resizedBy`. They never see the disk: they work on a view
 * of one volume, and what they wrote comes back as steps. Made by app, for one command on one disk.
 */
export interface ResizeTools {
  /**
   * Throws Unsupported or Refused for what stands against every resize of the volume: missing programs, features that
   * they do not resize, a state that has to be repaired first.
   */
  require(volume: BlockDevice, facts: FilesystemFacts): Promise<void>;
  /** The smallest size that the programs promise. Throws as `require` does, and Damaged for what they cannot read. */
  minimum(volume: BlockDevice, signal?: AbortSignal): Promise<MinimumSize>;
  /**
   * Resizes a view of the volume, which ends where the partition ends today, and lets it be checked. Throws before
   * there are steps, Refused with the words of the programs when they do not do it.
   */
  resize(volume: BlockDevice, newSizeBytes: number, signal?: AbortSignal): Promise<VolumeResize>;
}
