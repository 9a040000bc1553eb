import { internalError } from '../../core/errors.js';
import type { Reader } from '../../device/types.js';
import type { MetadataWrite } from '../types.js';
import type { MbrChange, MbrTable } from './types.js';

export type { ChsAddress } from './layout.js';
export type { ExtendedBootRecord, Geometry, MbrChange, MbrPartition, MbrTable } from './types.js';

export async function readMbr(_disk: Reader, _sectorSize: number): Promise<MbrTable | null> {
  throw internalError('not-built', 'readMbr');
}
export function editMbr(_table: MbrTable, _change: MbrChange): MetadataWrite[] {
  throw internalError('not-built', 'editMbr');
}
export function tableSectorsOfMbr(table: MbrTable): number[] {
  return [0, ...table.ebrs.map(({ lba }) => lba)];
}
export function mbrTypeName(type: number): string {
  return `0x${type.toString(16).padStart(2, '0')}`;
}
