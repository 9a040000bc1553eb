export { editGpt } from './edit.js';
export { gptTypeName } from './names.js';
export { tableSectorsOfGpt } from './places.js';
export type { GptChange, GptCopy, GptCopyState, GptPartition, GptTable } from './types.js';
export { gptSectorSize, readGpt } from './walk.js';
