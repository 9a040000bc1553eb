import { alignUp } from '../core/units.js';
import type { Geometry } from '../formats/mbr/index.js';

/** Sectors of one cylinder. */
export const cylinderSectors = (geometry: Geometry): number => geometry.heads * geometry.sectorsPerTrack;

/**
 * First sector at or behind `min` where DOS and Windows up to 2003 would start a primary partition: a cylinder
 * boundary, or the second track of the disk (the first one belongs to the MBR).
 */
export function primaryCylinderStart(min: number, geometry: Geometry): number {
  return min <= geometry.sectorsPerTrack ? geometry.sectorsPerTrack : alignUp(min, cylinderSectors(geometry));
}

/** The same for a logical partition: one track behind a cylinder boundary, where its EBR is. */
export function logicalCylinderStart(min: number, geometry: Geometry): number {
  const track = geometry.sectorsPerTrack;
  return alignUp(Math.max(0, min - track), cylinderSectors(geometry)) + track;
}
