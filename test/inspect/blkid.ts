import { run } from '../support/judges.js';

/** What blkid makes of an image: its own names for type, label and UUID. */
export function blkid(image: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const line of run('blkid', ['-p', '-o', 'export', image]).split('\n')) {
    const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) found[key] = value.replaceAll('\\', '');
  }
  return found;
}
