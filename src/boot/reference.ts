import { type Reason, refused, VmreclaimError } from '../core/errors.js';
import { type ByteRange, intersects } from '../core/range.js';
import type { BootNote, BootReference } from './types.js';

/** Numbers of the partitions that begin elsewhere, and of those whose size changes. */
export interface Changes {
  readonly moved: readonly number[];
  readonly resized: readonly number[];
}

/** True when the change concerns what the site holds, or may do so. */
export function isConcerned(
  { holds, holdsSectors }: Pick<BootReference, 'holds' | 'holdsSectors'>,
  { moved, resized }: Changes,
): boolean {
  const changed = holdsSectors ? [...moved, ...resized] : moved;
  return changed.length > 0 && (holds === null || holds.some((number) => changed.includes(number)));
}

/**
 * Throws Refused (boot-loader-overwritten) when partitions get places, as bytes of the disk, over what a site needs outside of
 * them. `places` are those of partitions that move or change their size.
 */
export function checkOutside(
  site: Named & Pick<BootReference, 'outside'>,
  places: readonly ByteRange[],
): void {
  for (const part of site.outside ?? []) {
    if (!places.some((place) => intersects(place, part))) continue;
    const error = refused(
      'boot-loader-overwritten',
      `a part of it lies outside of all partitions, at byte ${part.at} of the disk, where one would be`,
      { hint: 'give that partition another place, or install the boot loader anew inside the guest first' },
    );
    throw standsAgainst(site, error);
  }
}

type Named = Pick<BootReference, 'kind' | 'partition' | 'title'>;

/** A line for the report, which names the partition itself. */
export const noteOf = ({ kind, partition, title }: Named, message: string): BootNote => ({
  kind,
  partition,
  message: `${title}: ${message}`,
});

const placedTitle = ({ title, partition }: Named): string =>
  partition === null ? title : `${title} on partition ${partition}`;

/** What the operator has to know when a site is left as it is. */
export const skippedWarning = (site: Named): Reason => ({
  code: 'boot-fixup-skipped',
  message: `${placedTitle(site)} still holds the old places: --skip-boot-fixups ${site.kind}`,
  hint: 'have an installation or rescue medium of the guest at hand',
});

/** An error that stands against changing a site, with the name to skip it by. */
export function standsAgainst(site: Named, error: VmreclaimError): VmreclaimError {
  const { family, code, message, detail } = error;
  const skip = `or leave it as it is with --skip-boot-fixups ${site.kind}`;
  const remedy =
    detail.hint ??
    (family === 'damaged' ? 'run `chkdsk /f` in the guest, or restore the file there' : undefined);
  const hint = remedy === undefined ? skip : `${remedy}; ${skip}`;
  const text = `${placedTitle(site)} must follow the partitions, but ${message}`;
  return new VmreclaimError(family, code, text, { ...detail, hint });
}
