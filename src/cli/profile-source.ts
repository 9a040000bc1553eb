import { usageError } from '../core/errors.js';
import type { Profile } from '../profile/types.js';
import { readCapped } from './read-capped.js';

/** Reads a profile. Usage (profile) when it cannot be read or is none. */
export async function loadProfile(path: string): Promise<Profile> {
  // YAML and the validator are only loaded for this.
  const { MAX_PROFILE_BYTES, parseProfile } = await import('../profile/profile-file.js');
  return parseProfile(await readText(path, MAX_PROFILE_BYTES), path);
}

async function readText(path: string, maxBytes: number): Promise<string> {
  const text = await readCapped(path, maxBytes).catch((error: unknown) => {
    throw usageError('profile', `the profile cannot be read: ${path}`, { path, cause: error });
  });
  if (text !== undefined) return text;
  throw usageError('profile', `${path} is too large to be a profile`, {
    path,
    expected: `at most ${maxBytes} bytes`,
  });
}
