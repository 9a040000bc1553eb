export { Hive, type HiveKey } from './hive.js';
export { type HiveValue, patchData, patchName } from './value.js';
