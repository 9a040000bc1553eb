import { loadPrograms, loadServedFile, openScratch } from '../backends/registry.js';
import type { DiskSource } from '../disk/types.js';
import type { ResizeTools } from '../formats/resize-tools.js';
import { E2fsprogs, type Workshop } from '../tools/e2fsprogs.js';
import { checkRoom } from './room.js';

const WORKSHOP: Workshop = {
  openScratch,
  findProgram: async (name) => (await loadPrograms()).findProgram(name),
  runProgram: async (path, args, signal) => (await loadPrograms()).runProgram(path, args, signal),
  serveAsFile: async (device, options) => (await loadServedFile()).serveAsFile(device, options),
};

/** The outside programs for one pass over one disk: room in its journal is counted from here on. */
export function resizeTools(source: DiskSource, repair: boolean): ResizeTools {
  const hasRoom = (programBytes: number) => checkRoom(source, { spillBytes: 0, programBytes }, 0);
  return new E2fsprogs(WORKSHOP, { repair, checkRoom: hasRoom });
}
