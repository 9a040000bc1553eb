import { internalError } from '../../core/errors.js';
import type { ByteRange } from '../../core/range.js';
import type { Reader } from '../../device/types.js';
import type { MetadataWrite } from '../types.js';
import type { GptChange, GptTable } from './types.js';

export type { GptChange, GptCopy, GptCopyState, GptPartition, GptTable } from './types.js';

export async function readGpt(_disk: Reader, _sectorSize: number): Promise<GptTable | null> {
  throw internalError('not-built', 'readGpt');
}
export async function gptSectorSize(_disk: Reader): Promise<512 | 4096 | null> {
  throw internalError('not-built', 'gptSectorSize');
}
export function editGpt(_table: GptTable, _change: GptChange): MetadataWrite[][] {
  throw internalError('not-built', 'editGpt');
}
export function tableSectorsOfGpt(_table: GptTable, _diskSectors: number): ByteRange[] {
  throw internalError('not-built', 'tableSectorsOfGpt');
}
export function gptTypeName(guid: string): string {
  return guid;
}
