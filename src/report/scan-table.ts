import type { ScanInput } from './scan-json.js';
import type { Rendered, RenderOptions } from './types.js';

export interface ScanTableOptions extends RenderOptions {
  /** A block for every disk, however many there are. */
  readonly details?: boolean;
  /** `scan --check`: findings decide the exit code. */
  readonly check?: boolean;
}

export function renderScanTable(input: ScanInput, options: ScanTableOptions): Rendered {
  return { text: `${input.entries.length}${options.width}\n`, exitCode: 0 };
}
