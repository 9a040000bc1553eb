/** Suffix of the folder that holds a run in flight, beside the disk. */
export const RUN_FOLDER_SUFFIX = '.vmreclaim';
/** Suffix of a descriptor that is hidden so that no hypervisor can start a half-moved disk. */
export const HIDDEN_SUFFIX = '.hidden-by-vmreclaim';

/** Folder of the run in flight for the disk at `path`; it contains `run.json`. */
export const runFolderOf = (path: string): string => path + RUN_FOLDER_SUFFIX;

/** Where the descriptor of the disk at `path` is while a run is in flight. */
export const hiddenNameOf = (path: string): string => path + HIDDEN_SUFFIX;

/** File in the run folder that makes it a run: without it the folder is litter of a run that never began or is over. */
export const RUN_HEADER_NAME = 'run.json';

/** The lock of a run of `vmreclaim run` on a machine, beside its .vmx (of a lone disk: beside that). */
export const machineLockOf = (path: string): string => `${path}.vmreclaim-run`;
