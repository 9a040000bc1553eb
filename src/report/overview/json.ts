import { toJson } from '../json.js';
import type { Overview } from './types.js';

/** The overview as JSON, key by key as docs/cli.md promises it. */
export function renderOverviewJson(overview: Overview): string {
  const disks = overview.disks.map(({ maps, ...disk }) => disk);
  return toJson({ ...overview, disks });
}
