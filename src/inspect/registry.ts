import type { Reader } from '../device/types.js';
import type { FilesystemFacts, FilesystemFormat } from '../formats/types.js';

/** Every format that a volume is probed for, strong signatures first. */
export const FILESYSTEM_FORMATS: readonly FilesystemFormat[] = [];

/** A recognised volume: its format and what it says of itself. */
export interface RecognisedVolume {
  readonly format: FilesystemFormat;
  readonly facts: FilesystemFacts;
}

/** Finds the format of a volume; null when none recognises it. Device errors pass. */
export async function probeFilesystem(_volume: Reader): Promise<RecognisedVolume | null> {
  return null;
}
