import { type Advice, advise } from '../profile/advise.js';
import { NO_PROFILE } from '../profile/defaults.js';
import type { Profile, Subject } from '../profile/types.js';
import { growthMeter } from './run-history.js';

/** The rules of `--profile`, or the built-in ones. */
export async function profileOf({ profile }: { readonly profile?: string }): Promise<Profile> {
  if (profile === undefined) return NO_PROFILE;
  const { loadProfile } = await import('./profile-source.js');
  return loadProfile(profile);
}

/** What scan and report recommend by these rules, with the growth that the history shows by now. */
export async function adviser(
  profile: Profile,
  { boundary, boundaryGiven }: { readonly boundary: number; readonly boundaryGiven?: boolean },
): Promise<(disk: Subject) => Advice> {
  const options = boundaryGiven === true ? { boundaryBytes: boundary } : {};
  const meter = await growthMeter();
  return (disk) => advise(profile, disk, (number) => meter.perMonth(disk.path, number), options);
}
