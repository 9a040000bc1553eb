export { editMbr } from './edit.js';
export type { ChsAddress } from './layout.js';
export { mbrTypeName } from './names.js';
export type { ExtendedBootRecord, Geometry, MbrChange, MbrPartition, MbrTable } from './types.js';
export { readMbr, tableSectorsOfMbr } from './walk.js';
