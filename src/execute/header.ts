import { damaged } from '../core/errors.js';
import type { RunHeader } from './types.js';

/** The header in the bytes of `run.json`. Damaged (code journal) when it is none, or one of another version. */
export async function parseHeader(bytes: Uint8Array, path: string): Promise<RunHeader> {
  const { runHeader } = await import('./shapes.js');
  const parsed = runHeader.safeParse(jsonOf(bytes));
  if (parsed.success) return parsed.data as unknown as RunHeader;
  const [issue] = parsed.error.issues;
  throw damaged('journal', 'the run journal is damaged or of another version', {
    path,
    actual: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`,
    hint: 'keep the disk and the folder as they are, and report this; or put a backup back and drop the run',
  });
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
