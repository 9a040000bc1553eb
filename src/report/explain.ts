import { formatSize } from '../core/size.js';
import type { PartitionTarget } from '../profile/target.js';
import { painter } from './paint.js';
import { wrapText } from './text-width.js';
import type { RenderOptions } from './types.js';

/** For each partition what the profile wants of it, how the size came about, and which rule gave which number. */
export function renderExplanation(targets: readonly PartitionTarget[], options: RenderOptions): string {
  const paint = painter(options);
  const lines = targets.flatMap(({ number, action, sizeBytes, wantedBytes, why, because }) => {
    const change = action === 'keep' ? 'stays' : `${action} to ${formatSize(wantedBytes)}`;
    return [
      `${paint.strong(`partition ${number}`)} (${formatSize(sizeBytes)}): ${change}; ${paint.text(why)}`,
      ...because.map(
        ({ setting, value, source }) =>
          `  ${setting}: ${paint.text(value)} ${paint.dim(`(${paint.text(source)})`)}`,
      ),
    ];
  });
  return `${lines.flatMap((line) => wrapText(line, options.width, '    ')).join('\n')}\n`;
}
